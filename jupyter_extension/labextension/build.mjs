// Bundles the compiled extension the way `jupyter labextension build` does, from npm packages alone:
// the build then needs no Python package, and the same JupyterLab metadata is used everywhere.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

// The builder reads `package.json` of a JupyterLab checkout; core-meta ships that file under another name.
const coreMeta = path.dirname(require.resolve('@jupyterlab/core-meta/package.json'));
const corePath = path.join(here, '..', 'node_modules', '.cache', 'jupyterlab-core');
mkdirSync(corePath, { recursive: true });
copyFileSync(path.join(coreMeta, 'core.package.json'), path.join(corePath, 'package.json'));

const builder = require.resolve('@jupyterlab/builder/lib/build-labextension.js');
const { status } = spawnSync(process.execPath, [builder, '--core-path', corePath, here], {
  stdio: 'inherit',
});
if (status !== 0) {
  process.exit(status ?? 1);
}

// Tells `jupyter labextension list` who installed it; JupyterLab looks for it beside package.json.
const { jupyterlab } = require('./package.json');
copyFileSync(
  path.join(here, 'install.json'),
  path.join(here, jupyterlab.outputDir, 'install.json'),
);
