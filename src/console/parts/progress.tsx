/** How far work in the background has come. */

interface ProgressProps {
  /** What it is, for readers who do not see the page. */
  label: string;
  /** Between 0 and 1; null while it is not known how much there is. */
  share: number | null;
  /** In words: "37 of 412". */
  children: string;
}

export function Progress({ label, share, children }: ProgressProps) {
  return (
    <div class="progress">
      {share === null ? (
        <progress aria-label={label} />
      ) : (
        <progress aria-label={label} max={1} value={Math.min(1, share)} />
      )}
      <p>{children}</p>
    </div>
  );
}
