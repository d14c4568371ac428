/** As much of Express as a files-creator needs. */
declare module "express" {
  import type { IncomingMessage, Server, ServerResponse } from "node:http";

  interface Request extends IncomingMessage {
    body?: unknown;
  }
  interface Response extends ServerResponse {
    status(code: number): Response;
    json(body: unknown): Response;
  }
  type Handler = (request: Request, response: Response) => void;
  interface Express {
    use(middleware: unknown): Express;
    post(path: string, handler: Handler): Express;
    listen(port: number, host: string): Server;
  }
  function express(): Express;
  namespace express {
    function json(options?: { limit?: string }): unknown;
  }
  export = express;
}
