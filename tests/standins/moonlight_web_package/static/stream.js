import { prefix } from "./prefix.js"

// Opens the stream of ?hostId=&appId= and counts frames and sounds, in v2 or v3. It claims to
// decode all codecs, or those of &codecs= (bits as in supported_codecs), of which it asks for the
// role's videoCodec. A socket that closes is nothing to it, as to the real page: the last state stays.
const query = new URLSearchParams(location.search)
const ids = { host_id: Number(query.get("hostId")), app_id: Number(query.get("appId")) }
const base = await prefix()
const bits = { h264: 0x0001, h265: 0x0100, av1: 0x1000, auto: 0x1101 }
const { role } = await (await fetch(`${base}/api/role`)).json()
const { videoCodec } = role.default_settings ?? {}
const supported_codecs = Number(query.get("codecs") ?? bits.auto) & bits[videoCodec ?? "h264"]
const size = { width: 1280, height: 720, fps: 30, hdr: false, supported_codecs }
const v3 = !(await (await fetch("config.js")).text()).startsWith("export")
const path = v3 ? "/api/host/stream/web_socket" : "/api/host/stream"
const socket = new WebSocket(`${location.origin.replace("http", "ws")}${base}${path}`)
socket.binaryType = "arraybuffer"
const say = (message) => socket.send(JSON.stringify(message))
const show = (text) => (document.getElementById("state").textContent = text)
let frames = 0
let sounds = 0

socket.onopen = () => {
  if (v3) {
    const more = { bitrate: 10000, local_audio_play_mode: false, preferred_codecs: 0 }
    say({ Request: { ...ids, ...size, ...more } })
  } else {
    say({ Init: { ...ids, video_frame_queue_size: 3, audio_sample_queue_size: 20 } })
  }
}
socket.onmessage = ({ data }) => {
  if (typeof data === "string") {
    const message = JSON.parse(data)
    if (message.Setup) {
      say({ SetTransport: "WebSocket" })
      say({ StartStream: { settings: { ...size, bitrate_kbps: 10000, play_audio_local: false } } })
    }
    const begun = message.ConnectionComplete?.format ?? message.Response?.video_codec
    if (begun) {
      show("connected")
      document.getElementById("codec").textContent = begun
    }
    if (message.DebugLog?.ty === "fatalDescription") show(message.DebugLog.message)
    return
  }
  // Of a sound the first two bytes are its loudest sample: 0 is silence.
  const [channel, high, low] = new Uint8Array(data)
  if (channel === (v3 ? 2 : 3) && (high || low)) {
    document.getElementById("sounds").textContent = ++sounds
  }
  if (channel === (v3 ? 1 : 2)) document.getElementById("frames").textContent = ++frames
  if (!v3 && channel === 26) socket.send(data)
}
