/** The value that is in force beside the one that was typed. */
export function NowBeside({ now }: { now: string | null }) {
  if (now === null) return null;
  return (
    <span class="now-beside">
      In force now: <strong>{now === "" ? "nothing" : now}</strong>
    </span>
  );
}
