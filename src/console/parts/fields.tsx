/** Fields of a form, each with what it means. */

export interface FieldProps {
  name: string;
  label: string;
  value: string;
  /** What the API says of the value. */
  problem: string | null;
  isDisabled?: boolean;
}

interface TextFieldProps extends FieldProps {
  hint: string;
  type?: "text" | "email" | "number";
}

export function TextField({
  name,
  label,
  value,
  problem,
  isDisabled = false,
  hint,
  type = "text",
}: TextFieldProps) {
  return (
    <p class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        // A browser would keep a text that is no number to itself.
        type={type === "number" ? "text" : type}
        inputmode={type === "number" ? "numeric" : undefined}
        name={name}
        value={value}
        maxlength={500}
        autocomplete="off"
        disabled={isDisabled}
      />
      {problem !== null && <span class="problem">{problem}</span>}
      <span class="hint">{hint}</span>
    </p>
  );
}

interface ChoiceFieldProps extends FieldProps {
  hint: string;
  options: readonly { value: string; label: string }[];
}

export function ChoiceField({
  name,
  label,
  value,
  problem,
  isDisabled = false,
  hint,
  options,
}: ChoiceFieldProps) {
  return (
    <p class="field">
      <label for={name}>{label}</label>
      <select id={name} name={name} disabled={isDisabled}>
        {options.map((option) => (
          <option value={option.value} selected={option.value === value}>
            {option.label}
          </option>
        ))}
      </select>
      {problem !== null && <span class="problem">{problem}</span>}
      <span class="hint">{hint}</span>
    </p>
  );
}
