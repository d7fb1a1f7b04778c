import { prefix } from "./prefix.js"

const base = await prefix()
const lines = (await (await fetch(`${base}/api/hosts`)).text()).trim().split("\n")
for (const host of JSON.parse(lines[0]).hosts) {
  const item = document.createElement("li")
  item.textContent = `${host.name}: ${host.paired}`
  document.getElementById("hosts").append(item)
}
