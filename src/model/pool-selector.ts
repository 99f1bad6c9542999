/** Whether a node with these labels takes part in a pool that selects nodes like this. */
export function selectsNode(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
