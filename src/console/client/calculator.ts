/** The calculator of signatures. What is typed into it stays in this page: its fields have no names and belong to no form. */
import { compareSignature } from "../calculator/compare-signature.ts";
import {
  SCHEME_RULES,
  SIGNATURE_SCHEMES,
  type Signable,
  type SignatureScheme,
  signatureBy,
} from "../calculator/signature-schemes.ts";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const root = document.querySelector<HTMLElement>("[data-calculator]");
// Browsers have no WebCrypto on pages that came over plain http from another machine.
if (root !== null && globalThis.crypto?.subtle !== undefined) start(root);

function part(name: string, within: ParentNode = document): HTMLElement {
  const found = within.querySelector<HTMLElement>(`[data-part=${name}]`);
  if (found === null) throw new Error(`the calculator has no part ${name}`);
  return found;
}

function start(calculator: HTMLElement): void {
  const field = (name: string) => part(name, calculator) as Field;
  const file = field("file") as HTMLInputElement;
  const schemeNow = () =>
    SIGNATURE_SCHEMES.find((each) => each === field("scheme").value) ?? ("inbound" satisfies SignatureScheme);
  let turn = 0;

  async function signableNow(): Promise<Signable> {
    const chosen = file.files?.[0];
    const text = new TextEncoder().encode(field("body").value);
    const body = new Uint8Array(chosen === undefined ? text : await chosen.arrayBuffer());
    part("bytes", calculator).textContent =
      `${body.byteLength} bytes${chosen === undefined ? "" : " of the file"}`;
    const [secret, timestamp, id] = ["secret", "timestamp", "id"].map((name) => field(name).value);
    return { secret: secret ?? "", timestamp: timestamp?.trim() ?? "", id: id?.trim() ?? "", body };
  }

  async function update(): Promise<void> {
    const mine = ++turn;
    const scheme = schemeNow();
    const signable = await signableNow();
    const signature = await signatureBy(scheme, signable);
    const pasted = field("pasted").value;
    const isCompared = signature !== null && pasted.trim() !== "";
    const findings: string[] = isCompared ? await compareSignature(scheme, signable, pasted) : [];
    // Something was typed meanwhile.
    if (mine !== turn) return;
    show(calculator, scheme, findings);
    const value = signature === null ? "" : SCHEME_RULES[scheme].written(signature, signable.timestamp);
    part("header", calculator).textContent = SCHEME_RULES[scheme].header;
    part("signature", calculator).textContent =
      value !== "" ? value : signable.secret === "" ? "Enter the secret." : "The secret is not base64.";
    const copy = calculator.querySelector<HTMLButtonElement>("button[data-copy]");
    if (copy !== null) {
      copy.dataset.copy = value;
      copy.hidden = value === "";
    }
  }

  part("now", calculator).addEventListener("click", () => {
    const isInMilliseconds = schemeNow() === "inbound";
    field("timestamp").value = String(isInMilliseconds ? Date.now() : Math.floor(Date.now() / 1_000));
    void update();
  });
  // Text that is typed takes the place of the file.
  field("body").addEventListener("input", () => {
    file.value = "";
  });
  calculator.addEventListener("input", () => void update());
  part("without-scripts").hidden = true;
  calculator.hidden = false;
  void update();
}

/** Shows the explanations of what was found, and the fields that the scheme signs. */
function show(calculator: HTMLElement, scheme: SignatureScheme, findings: readonly string[]): void {
  for (const element of calculator.querySelectorAll<HTMLElement>("[data-finding]"))
    element.hidden = !findings.includes(element.dataset.finding ?? "");
  for (const element of calculator.querySelectorAll<HTMLElement>("[data-for]"))
    element.hidden = !(element.dataset.for ?? "").split(" ").includes(scheme);
  const isWrong = findings.length > 0 && !findings.includes("match");
  part("receiver", calculator).hidden = !isWrong || scheme === "inbound";
}
