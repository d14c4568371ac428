/** The script of every page. It adds comfort to pages that work without it. */
import { upgradeCopyButtons } from "./copy.ts";
import { upgradeDialogs } from "./dialogs.ts";
import { upgradeForms } from "./forms.ts";
import { upgradeKeys } from "./keys.ts";
import { startLive } from "./live.ts";
import { showTimes } from "./times.ts";

/** Upgrades what is below `root`. Called again for every part that was replaced. */
function upgrade(root: ParentNode): void {
  showTimes(root);
  upgradeCopyButtons(root);
}

startLive(upgrade);
upgrade(document);
upgradeDialogs();
upgradeForms();
upgradeKeys();
setInterval(() => showTimes(document), 15_000);
