// The prefix is known from config.js alone, which is run: a module in v2, a script in v3.
export async function prefix() {
  const text = await (await fetch("config.js")).text()
  if (text.startsWith("export")) return (await import("./config.js")).default.path_prefix
  const script = document.createElement("script")
  script.src = "config.js"
  await new Promise((done) => {
    script.onload = done
    document.head.append(script)
  })
  return window.__CONFIG_JS__.path_prefix
}
