import { LabIcon } from '@jupyterlab/ui-components';

const moonOverDesktop = `
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 52 52" width="16" height="16">
  <rect x="2" y="2" width="48" height="48" rx="11" fill="#1b2450"/>
  <path d="M31.5 9.5a13.2 13.2 0 1 0 10.9 19.6A10.9 10.9 0 0 1 31.5 9.5z" fill="#f3d58b"/>
  <circle cx="41" cy="13.5" r="1.5" fill="#dfe6ff"/>
  <circle cx="36.5" cy="21" r="1" fill="#dfe6ff"/>
  <circle cx="12" cy="12" r="1.1" fill="#dfe6ff"/>
  <path d="M16 44.5h20" stroke="#8ea2ff" stroke-width="2.6" stroke-linecap="round"/>
</svg>`;

export const moonlightIcon = new LabIcon({ name: 'moonlight:desktop', svgstr: moonOverDesktop });
