/** Mail of a local gateway: the runtime writes each text into a file, and keeps a list of senders, recipients and subjects. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";

/** As the README says. */
const LOCAL_MAILS = ".wrangler/tmp/email";

export interface LocalMail {
  from: string;
  to: string[];
  subject: string;
  text: string;
}

/** Everything mailed since the gateway that serves `baseUrl` from the project in `folder` was started. */
export async function localMails(baseUrl: string, folder: string): Promise<LocalMail[]> {
  const listed = await fetch(`${baseUrl}/cdn-cgi/local/explorer/api/local/email/sending`);
  const { result }: { result: (Omit<LocalMail, "text"> & { messageId: string })[] } = JSON.parse(
    await listed.text(),
  );
  return result.map(({ from, to, subject, messageId }) => ({
    from,
    to,
    subject,
    text: textOf(folder, messageId),
  }));
}

function textOf(folder: string, messageId: string): string {
  const name = `${messageId.replace(/^<|>$/g, "")}.txt`;
  const [file] = globSync(path.join(LOCAL_MAILS, "*/email-text", name), { cwd: folder });
  if (file === undefined) throw new Error(`${name} is not written`);
  return readFileSync(path.join(folder, file), "utf8");
}
