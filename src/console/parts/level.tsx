/** How much of a whole is reached, as a bar beside the number: 1 is all of it. */
export function Level({ part }: { part: number }) {
  const width = Math.round(Math.min(1, Math.max(0, part)) * 100);
  return (
    <svg class="level" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect class="whole" width="100" height="4" />
      <rect width={width} height="4" />
    </svg>
  );
}
