/** The pages of work in the background. */
import { Hono } from "hono";
import type { ConsoleEnv } from "../../console-host.ts";
import { jobList } from "./job-list.tsx";
import { jobPage } from "./job-page.tsx";
import { rewrapPage } from "./rewrap.tsx";

export const jobPages = new Hono<ConsoleEnv>().route("/", jobList).route("/", rewrapPage).route("/", jobPage);
