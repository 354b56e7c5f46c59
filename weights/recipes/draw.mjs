// Draws the training pictures of `faces` and `avatars` with DiceBear.
//
//     node draw.mjs faces|avatars OUT [COUNT]
//
// Writes OUT/CLASS.bin for each class: COUNT pictures, one after the other, H x W x 3 bytes each.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAvatar } from "@dicebear/core";
import * as styles from "@dicebear/collection";
import { Resvg } from "@resvg/resvg-js";
import sharp from "sharp";

const BACKGROUNDS = ["b6e3f4", "c0aede", "d1d4f9", "ffd5dc", "ffdfbf"];
const PIXELS_CRISP = 1; // resvg's shape-rendering crispEdges

// A face has at most one of the three, so that a class names all that is special about it.
const only = (part) => Object.fromEntries(["glasses", "hat", "beard"].map((name) => [`${name}Probability`, name === part ? 100 : 0]));

const SETS = {
  faces: {
    size: 16, drawnAt: 16, count: 16384,
    classes: Object.fromEntries(["plain", "glasses", "hat", "beard"].map((name) => [name, { style: "pixelArt", options: only(name) }])),
    // Four runs of 4096 seeds each.
    seed: (name, index) => `${name}${Math.floor(index / 4096)}-${index % 4096}`,
  },
  avatars: {
    size: 32, drawnAt: 128, count: 6000,
    classes: {
      peep: { style: "openPeeps" }, mini: { style: "miniavs" }, toon: { style: "toonHead" },
      dylan: { style: "dylan" }, smile: { style: "bigSmile" }, thumb: { style: "thumbs" },
    },
    seed: (name, index) => `${SETS.avatars.classes[name].style}-${index}`,
  },
};

async function draw(set, name, index) {
  const { style, options } = set.classes[name];
  const svg = createAvatar(styles[style], { seed: set.seed(name, index), backgroundColor: BACKGROUNDS, backgroundType: ["solid"], ...options }).toString();
  const drawn = new Resvg(svg, { fitTo: { mode: "width", value: set.drawnAt }, shapeRendering: set.drawnAt === set.size ? PIXELS_CRISP : 2 }).render();
  const picture = sharp(drawn.pixels, { raw: { width: set.drawnAt, height: set.drawnAt, channels: 4 } }).flatten({ background: "#fff" });
  if (set.drawnAt !== set.size) picture.resize(set.size, set.size, { kernel: "lanczos3" });
  return picture.raw().toBuffer();
}

const [which, out, count] = process.argv.slice(2);
const set = SETS[which];
if (!set || !out) throw new Error("usage: node draw.mjs faces|avatars OUT [COUNT]");
mkdirSync(out, { recursive: true });
for (const name of Object.keys(set.classes)) {
  const pictures = [];
  for (let index = 0; index < Number(count ?? set.count); index++) pictures.push(await draw(set, name, index));
  writeFileSync(join(out, `${name}.bin`), Buffer.concat(pictures));
  console.log(`${name}: ${pictures.length} pictures of ${set.size}x${set.size}`);
}
