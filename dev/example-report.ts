/** The report that `npm start` and `npm run send` send by default. */

export const EXAMPLE_REPORT = JSON.stringify({
  employer_fein: "12-3456789",
  policy_number: "WC1025561",
  employees: [
    {
      first_name: "John",
      last_name: "Doe",
      class_code: "8810",
      state: "CA",
      gross_wages: 5000,
      hours_worked: 80,
    },
  ],
  pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
});
