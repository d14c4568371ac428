/** Reports of exactly ten MiB: a real one, and the worst JSON for its size. */

const SIZE = 10 * 1024 ** 2;
const EMPLOYEE =
  '{"first_name":"John","last_name":"Doe","class_code":"8810","state":"CA","gross_wages":5000,"hours_worked":80}';

/** Nothing but employees: `number` makes it different from every other. */
export function realReport(number: number): Buffer {
  return filled(`{"policy_number":"WC${number}","employees":[`, `${EMPLOYEE},`, `${EMPLOYEE}]}`);
}

/** One employee, and a field that nobody knows, full of empty objects: a tree of it would take 300 MB. */
export function emptyObjects(number: number): Buffer {
  return filled(`{"policy_number":"WC${number}","employees":[${EMPLOYEE}],"note":[`, "{},", "{}]}");
}

function filled(head: string, repeated: string, tail: string): Buffer {
  const report = Buffer.alloc(SIZE, " ");
  const times = Math.floor((SIZE - head.length - tail.length) / repeated.length);
  report.write(head + repeated.repeat(times) + tail);
  return report;
}
