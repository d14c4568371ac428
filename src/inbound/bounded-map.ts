/** Sets an entry of a bounded map; the one set longest ago makes room. */
export function keep<V>(map: Map<string, V>, key: string, value: V, limit: number): void {
  map.delete(key);
  const [oldest] = map.keys();
  if (map.size >= limit && oldest !== undefined) map.delete(oldest);
  map.set(key, value);
}
