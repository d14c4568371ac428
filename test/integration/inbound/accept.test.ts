import { expect, it, vi } from "vitest";
import {
  createApiKey,
  createBoundConnection,
  createConnection,
  createEmployer,
  fileStatus,
  filesCreator,
  portal,
  post,
  report,
} from "../../support/gateway.ts";

it("accepts a signed report, reports its status at once, and forwards it to the files-creator", async () => {
  const connection = await createBoundConnection();
  const key = await createApiKey();
  const body = report();
  const answer = await post(connection, body);
  expect(answer.status).toBe(202);
  expect(answer.json).toMatchObject({
    success: true,
    status: "queued",
    duplicate: false,
    connection_id: connection.id,
    employer_id: connection.employerId,
  });
  const fileId = answer.json.file_id;
  expect(answer.headers.get("Location")).toBe(`/api/v1/files/status/${fileId}`);
  expect((await fileStatus(key.token, fileId)).json.file_id).toBe(fileId);
  await vi.waitFor(async () => expect(await filesCreator.receivedFile(fileId)).toHaveLength(1), {
    timeout: 5_000,
  });
  const [file] = await filesCreator.receivedFile(fileId);
  expect(file?.text).toBe(body);
  await vi.waitFor(async () => expect((await fileStatus(key.token, fileId)).json.status).toBe("processing"));
  const event = {
    id: "evt_1",
    type: "file.processed",
    data: { fileId, recordsTotal: 1, recordsProcessed: 1, recordsFailed: 0 },
  };
  expect((await portal("POST", "/events", event)).json).toMatchObject({
    status: "completed",
    duplicate: false,
  });
  expect((await portal("POST", "/events", event)).json).toMatchObject({
    status: "completed",
    duplicate: true,
  });
  expect((await fileStatus(key.token, fileId)).json).toMatchObject({
    status: "completed",
    records_processed: 1,
  });
});

it("resolves the employer of an unbound connection by its FEIN, with or without the dash", async () => {
  const employer = await createEmployer();
  const connection = await createConnection();
  const answer = await post(connection, report({ employer_fein: employer.fein.replace("-", "") }));
  expect(answer.json).toMatchObject({ employer_id: employer.id });
  expect(answer.status).toBe(202);
});
