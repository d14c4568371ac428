/** What the pages of events share. */
import { Tabs } from "../../parts/panels.tsx";

export const EVENTS_PAGE = { title: "Events", section: "events" } as const;

export function EventTabs() {
  return (
    <Tabs
      tabs={[
        { value: "list", label: "What happened" },
        { value: "catalogue", label: "Catalogue" },
      ]}
    />
  );
}
