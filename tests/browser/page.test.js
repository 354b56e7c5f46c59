// The page at "/" in Chromium, against the daemon and the shipped models. Screenshots go to build/browser.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { startDaemon } from "./daemon.js";

const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");
const SHOTS = join(ROOT, "build/browser");
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };
const TIMEOUT_MS = 60_000;

let daemon, browser, context, page, complaints;

before(async () => {
  await mkdir(SHOTS, { recursive: true });
  daemon = await startDaemon(process.env.DENOISED ?? join(ROOT, "denoised"), join(ROOT, "weights"), join(SHOTS, "daemon.log"));
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid() === 0 ? ["--no-sandbox"] : [], // Chromium's sandbox refuses root
  });
});

after(async () => {
  await browser?.close();
  assert.equal(await daemon?.stop(), 0);
});

beforeEach(async () => {
  await openPage({ viewport: WIDE, colorScheme: "light" });
});

afterEach(() => context.close());

async function openPage(options) {
  await context?.close();
  context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], ...options });
  page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  complaints = [];
  page.on("console", (message) => { if (message.type() === "error" || message.type() === "warning") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== daemon.url) complaints.push(`foreign request: ${request.url()}`);
  });
  await page.goto(daemon.url);
  await page.locator("#generate:enabled").waitFor();
}

async function set(values) {
  for (const [name, value] of Object.entries(values)) {
    const control = page.locator(`[name="${name}"]`);
    if (await control.evaluate((node) => node.tagName === "SELECT")) await control.selectOption(value);
    else await control.fill(String(value));
  }
}

async function generate() {
  await page.locator("#generate").click();
  await page.locator("#stop").waitFor({ state: "hidden" });
  await page.locator("#generate:enabled").waitFor();
}

const pictures = () => page.locator("#result img").evaluateAll((images) => images.map((image) => image.src));
const shot = (name) => page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });

test("the page opens without complaints and offers the pictures first", async () => {
  const labels = await page.locator("#model optgroup").evaluateAll((groups) => groups.map((group) => group.label));
  assert.deepEqual(labels, ["Pictures", "Points"]);
  assert.equal(await page.locator("#status").textContent(), "Ready: press Generate.");
  assert.deepEqual(complaints, []);
});

test("the same seed gives the same picture and another seed another", async () => {
  await set({ model: "faces", n: 1, steps: 5, seed: 7 });
  await generate();
  const [first] = await pictures();
  await generate();
  const [again] = await pictures();
  await set({ seed: 8 });
  await generate();
  const [other] = await pictures();
  assert.equal(again, first);
  assert.notEqual(other, first);
  assert.deepEqual(complaints, []);
});

test("a new seed is drawn for each picture until a seed is typed", async () => {
  await set({ model: "faces", n: 1, steps: 2 });
  await generate();
  const [first] = await pictures();
  await generate();
  const [second] = await pictures();
  assert.notEqual(second, first);
  await set({ seed: 3 });
  assert.equal(await page.locator("#random").isChecked(), false);
});

test("pictures are enlarged by the model's scale and carry their seed and class", async () => {
  await set({ model: "faces", seed: 4000000042 });
  await generate();
  const image = page.locator("#result img").first();
  assert.deepEqual(await image.boundingBox().then(({ width, height }) => [width, height]), [128, 128]);
  assert.equal(await image.evaluate((node) => getComputedStyle(node).imageRendering), "pixelated");
  assert.equal(await page.locator("figcaption").nth(1).textContent(), "seed 4000000043 · glasses");
  const widths = await page.locator("#result figure").evaluateAll((figures) => figures.map((figure) => figure.offsetWidth));
  assert.equal(new Set(widths).size, 1, "the caption's length moves no picture");
  assert.match(await page.locator("#status").textContent(), /^12 pictures in [\d.]+ s · ddim, 50 steps · queue/);
  await shot("faces");
});

test("every picture model fills the page", async () => {
  for (const model of ["avatars", "fashion"]) {
    await set({ model, n: 6, steps: 20, seed: 1 });
    await generate();
    assert.equal((await pictures()).length, 6);
    await shot(model);
  }
  assert.deepEqual(complaints, []);
});

test("points are drawn on a canvas that is not blank", async () => {
  for (const model of ["shapes", "exact-mixture"]) {
    await set({ model, n: 2000, steps: 50, seed: 1 });
    await generate();
    const inked = await page.locator("canvas").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let saturated = 0; // the axes are grey, points are not
      for (let i = 0; i < data.length; i += 4) {
        saturated += Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60 ? 1 : 0;
      }
      return saturated;
    });
    assert.ok(inked > 2000, `${inked} coloured pixels`);
    await shot(model);
  }
  assert.deepEqual(complaints, []);
});

// What the link saves, and the size of the picture on the page.
async function savedProcess() {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#result a.save").click()]);
  const size = await page.locator("#result img").evaluate((image) => [image.naturalWidth, image.naturalHeight, image.clientWidth]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()), size };
}

test("the reverse process of pictures is an animation that can be saved", async () => {
  await set({ model: "faces", n: 4, steps: 10, seed: 42 });
  await page.locator("#trajectory").check();
  await generate();
  const { name, bytes, size } = await savedProcess();
  assert.equal(name, "faces-42-process.apng");
  assert.ok(bytes.includes("acTL"), "frames that move");
  assert.deepEqual(size, [2 * 32, 32, 512]); // x_t and x_0 side by side, eight times as large
  assert.match(await page.locator("#status").textContent(), /^The reverse process of 4 pictures in [\d.]+ s · ddim, 10 steps$/);
  assert.match(await page.locator("#command").textContent(), /"format":"apng"/);
  await shot("process-pictures");
  await page.locator("#trajectory").uncheck();
  await generate();
  assert.equal((await pictures()).length, 4);
  assert.deepEqual(complaints, []);
});

test("samples lie on the way from one seed to another", async () => {
  await set({ model: "faces", n: 5, steps: 10, seed: 42, to: 7 });
  await generate();
  const words = await page.locator("#result figcaption").allTextContents();
  assert.deepEqual(words.map((text) => text.split(" · ")[0]), ["seed 42", "between", "between", "between", "seed 7"]);
  const [first, , , , last] = await pictures();
  assert.match(await page.locator("#command").textContent(), /"interpolate":\{"from":42,"to":7,"frames":5\}/);
  await shot("interpolate");
  await page.locator("#trajectory").check();
  await generate();
  assert.match(await page.locator("#status").textContent(), /From seed to seed in 5 pictures/);
  await page.locator("#trajectory").uncheck();
  await set({ n: 1, to: "" });
  await generate();
  assert.deepEqual(await pictures(), [first]);
  await set({ seed: 7 });
  await generate();
  assert.deepEqual(await pictures(), [last]);
  await set({ model: "exact-mixture", sampler: "ddim", n: 50, steps: 20, seed: 1, to: 2 });
  await generate();
  assert.match(await page.locator("#result figcaption").textContent(), /seed 1 to 2/);
  assert.deepEqual(complaints, []);
  await set({ sampler: "ddpm" });
  await generate();
  assert.match(await page.locator("#fault").textContent(), /sampler ddpm draws noise/);
  assert.equal(await page.locator("#to").getAttribute("aria-invalid"), "true");
});

test("the reverse process of points stands in panels, and is offered where it can be drawn", async () => {
  await set({ model: "exact-mixture", n: 500, steps: 50, seed: 1 });
  await page.locator("#trajectory").check();
  await generate();
  const { name, bytes, size } = await savedProcess();
  assert.equal(name, "exact-mixture-1-process.png");
  assert.equal(bytes.includes("acTL"), false);
  assert.deepEqual(size.slice(0, 2), [6 * 512, 2 * 512]);
  assert.match(await page.locator("#command").textContent(), /"trajectory":10/);
  await shot("process-points");
  await set({ model: "exact-3d" });
  assert.equal(await page.locator("#trajectory").isVisible(), false);
  await set({ n: 10, steps: 5 });
  await generate();
  await page.locator("canvas").waitFor();
  assert.deepEqual(complaints, []);
});

test("a sampler without a number of steps says so where the reverse process is asked of it", async () => {
  await set({ model: "exact-mixture", sampler: "pf_ode", method: "rk45", steps: "" });
  await page.locator("#trajectory").check();
  await generate();
  assert.match(await page.getByRole("alert").textContent(), /a number of steps of its own/);
});

test("a fault is told in words and marks its field", async () => {
  await set({ model: "faces", steps: 0 });
  await generate();
  const fault = page.getByRole("alert");
  assert.match(await fault.textContent(), /steps: .*1/);
  assert.equal(await page.locator("#steps").getAttribute("aria-invalid"), "true");
  await shot("fault");
  await set({ steps: 2, n: 1 });
  await generate();
  assert.equal(await fault.isVisible(), false);
  assert.equal((await pictures()).length, 1);
});

test("a daemon that is gone is told in words", async () => {
  await page.route("**/sample", (route) => route.abort("connectionrefused"));
  await generate();
  assert.match(await page.getByRole("alert").textContent(), /does not answer/);
});

test("a run can be stopped", async () => {
  await set({ model: "avatars", n: 4, steps: 500 });
  await page.locator("#generate").click();
  await page.locator("#stop").click();
  await page.locator("#status", { hasText: "Stopped." }).waitFor();
});

test("guidance is asked only where there is something to guide by", async () => {
  await set({ model: "faces", class: "" });
  assert.equal(await page.locator("#guidance").isDisabled(), true);
  await set({ class: "hat" });
  assert.equal(await page.locator("#guidance").isDisabled(), false);
  await set({ model: "mixture" });
  assert.equal(await page.locator("#guidance").isVisible(), false);
});

test("copy as curl gives a command that writes the picture", async () => {
  await set({ model: "faces", class: "hat", n: 1, steps: 2, seed: 5 });
  await page.locator("#copy").click();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  const folder = await mkdtemp(join(tmpdir(), "denoised-"));
  try {
    await promisify(execFile)("sh", ["-c", command], { cwd: folder });
    const png = await readFile(join(folder, "faces-5.png"));
    assert.equal(png.subarray(1, 4).toString(), "PNG");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the keyboard alone is enough", async () => {
  await set({ model: "faces", n: 1, steps: 2 });
  await page.locator("#seed").focus();
  await page.keyboard.press("Enter");
  await page.locator("#result img").waitFor();
  await page.locator("#result a").focus();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "A");
});

test("a dark and narrow screen is served as well", async () => {
  await openPage({ viewport: NARROW, colorScheme: "dark" });
  await set({ model: "faces", seed: 42, n: 4 });
  await generate();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  await shot("narrow");
  await set({ model: "shapes", class: "in turn", steps: 50 });
  await generate();
  await shot("narrow-points");
  await page.locator("#trajectory").check();
  for (const model of ["faces", "exact-mixture"]) {
    await set({ model, n: 4, steps: 20 });
    await generate();
    await page.locator("#result .save").waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    await shot(`narrow-process-${model}`);
  }
});
