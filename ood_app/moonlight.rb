# frozen_string_literal: true

# What the templates of this app share. Open OnDemand evaluates each of them by itself, so each loads
# this file (`load`, not `require`: a running web server would keep the version before an update). It
# defines no constants but classes, which may be defined again. In ASCII, because nobody knows the
# locale of whoever reads it.

require "cgi"
require "digest"
require "fileutils"
require "json"
require "open3"
require "time"
require "yaml"

# Beside this file itself: an app of before may have a link to it and none to these.
%w[keyboards.rb words.rb].each { |name| load File.join(File.dirname(File.realpath(__FILE__)), name) }

class MoonlightDesktop
  # Something a person has to put right: a setting, or a value that was sent.
  class Wrong < StandardError; end

  attr_reader :site, :words

  # +root+: the app's directory, with site.yml.
  def initialize(root)
    @root = root.to_s
    @words = MoonlightWords.new
    @site = read_site
  end

  # A value for a place in YAML: JSON without what YAML forbids.
  def json(value)
    case value
    when String then JSON.generate(plain(value))
    when Array then "[#{value.map { |one| json(one) }.join(', ')}]"
    else JSON.generate(value)
    end
  end

  # A text on one line, without control characters, what is no text, and what turns the direction of the
  # rest: a log may repeat what somebody else has called a file.
  def plain(value)
    text = value.to_s.dup.force_encoding("UTF-8").scrub(" ")
    text.gsub(/[^[:print:]]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/, " ")
  end

  # A text for HTML, for markdown around it, and on one line: all that means something to either is a
  # number. So nothing in a log or a record can become a tag, a link, a heading or the end of a block.
  def html(value)
    plain(value).gsub(/[^A-Za-z0-9 ,.\u00a0-\u{10ffff}]/) { |character| "&##{character.ord};" }
                .gsub(/\A | (?= )| \z/, "&#32;")
  end

  # Several lines of text, as +html+.
  def html_lines(value)
    text = value.to_s.dup.force_encoding("UTF-8").scrub(" ")
    text.split(/\r?\n/).map { |line| html(line) }.join("&#10;")
  end

  # A sentence in the dashboard's language; so is what users are told of what they sent. What only an
  # administrator can put right is said in English.
  def say(...)
    @words.say(...)
  end

  # -- what the form offers

  # The numbers of the form that are asked for, in order, with their words.
  def numbers
    words = {
      "hours" => { "label" => say("Hours"), "step" => 0.5,
                   "help" => say("The desktop ends by itself after this time.") },
      "gpus" => { "label" => say("GPUs"), "step" => 1 },
      "cores" => { "label" => say("CPU cores"), "step" => 1 },
      "memory" => { "label" => say("Memory (GiB)"), "step" => 1 },
      "begin" => { "label" => say("Start in (hours)"), "step" => 0.5,
                   "help" => say("Not before that. 0: as soon as possible.") }
    }
    words.select { |name, _| !%w[gpus begin].include?(name) || largest(name).positive? }
  end

  def partitions
    @site["partitions"]
  end

  # The least and the most of a number, in a partition.
  def limit(name, partition)
    own = (partition && partition["max"].to_h[name]) || @site[name]["max"]
    { "min" => @site[name]["min"], "max" => [own, @site[name]["max"]].min }
  end

  # The most of a number in any partition.
  def largest(name)
    return @site[name]["max"] if partitions.empty?

    partitions.map { |partition| limit(name, partition)["max"] }.max
  end

  def default(name)
    [@site[name]["default"], largest(name)].min
  end

  # What can be launched now, the default one first.
  def images
    @images ||= begin
      found = cached_images.select { |image| image["available"] }
      if found.empty?
        raise Wrong, say("No desktop can be launched now: `{command} images` says why.",
                         command: @site["command"])
      end
      found
    end
  end

  def default_image
    (images.find { |image| image["default"] } || images.first)["id"]
  end

  def keyboard_name(layout)
    name = MoonlightKeyboards.names[layout]
    name ? say(name) : layout
  end

  # Signs of a desktop's name (moonlight_spawner/model/names.py).
  def most_name_signs
    60
  end

  # -- what was sent

  # What Slurm is asked for. +context+ has the form's values, as texts.
  def job(context)
    asked = values(context)
    options = ["--nodes=1", "--ntasks=1", "--cpus-per-task=#{asked['cores']}",
               "--mem=#{(asked['memory'] * 1024).round}M"]
    options << "--gres=gpu:#{asked['gpus']}" if asked["gpus"].positive?
    options << "--begin=now+#{(asked['begin'] * 3600).round}" if asked["begin"].positive?
    options << "--mail-type=BEGIN" if asked["mail"] == "1"
    {
      "partition" => asked["queue"],
      "qos" => @site["qos"].empty? ? nil : @site["qos"],
      "account" => account(context),
      "seconds" => (asked["hours"] * 3600).round,
      "options" => options + @site["sbatch_options"]
    }
  end

  # What the node is asked for, with the fields of the REST API; JSON on one line.
  def request(context)
    asked = values(context)
    quality = @site["qualities"].find { |one| one["name"] == asked["quality"] }
    name = asked["desktop_name"]
    JSON.generate(
      **(name.empty? ? {} : { "name" => name }),
      "image" => asked["image"], "hours" => asked["hours"], "cpus" => asked["cores"],
      "memory_gb" => asked["memory"], "gpus" => asked["gpus"], "resolution" => asked["resolution"],
      "follow_window" => true, # its page has no other way
      "fps" => quality["fps"], "bitrate_kbps" => quality["bitrate_kbps"],
      "keyboard" => asked["keyboard"]
    )
  end

  # -- what became of it: files in the job's directory, and Moonlight HPC's records

  # What `moonlight-hpc here` said when the session began, or why it did not; nil if nothing.
  def begun(staged)
    read_object(staged, "session.json")
  end

  # The session as it was when something last changed in its start.
  def progress(staged)
    read_object(staged, "progress.json")
  end

  # Why the desktop did not begin, where the node does not have the program.
  def not_on_this_node
    "{command} is not on this node. An administrator has to install Moonlight HPC there under the same " \
      "path as on the web host."
  end

  # How it ended, as its records say; nil if they cannot be asked now. Asked until it has ended, and
  # kept in the job's directory then: a card is shown for days.
  def ended(staged)
    kept = read_object(staged, "ended.json")
    return kept if kept

    id = begun(staged).to_h["session_id"].to_s
    return nil unless id.match?(/\Aml-[a-z0-9._-]{1,64}\z/)
    return nil if young?(File.join(staged, "asked"), 15)

    FileUtils.touch(File.join(staged, "asked"))
    said = object(ask("session", "show", id, "--json", "--logs", "4000", fail: false))
    over = %w[completed failed cancelled timeout].include?(said.to_h["status"]) ||
           said.to_h["error"].to_h["code"] == "not_found"
    write_private(File.join(staged, "ended.json"), JSON.generate(said)) if over
    over ? said : nil
  rescue SystemCallError
    nil
  end

  # The end of what the job printed.
  def output(staged, bytes = 3000)
    File.open(File.join(staged, "output.log"), File::RDONLY | File::NOFOLLOW | File::NONBLOCK) do |file|
      return "" unless file.stat.file?

      file.seek([file.size - bytes, 0].max)
      return file.read(bytes).to_s
    end
  rescue SystemCallError
    ""
  end

  # A time as a record has it, in the web server's time zone.
  def clock(text)
    Time.parse(text.to_s).localtime.strftime("%Y-%m-%d %H:%M")
  rescue ArgumentError
    ""
  end

  private

  # Each value of the form, checked. What the form does not have is the site's default.
  def values(context)
    partition = partition_of(context)
    {
      "queue" => partition && partition["name"],
      "image" => one_of(context, "image", images.map { |image| image["id"] }, default_image),
      "hours" => number(context, "hours", partition, whole: false),
      "gpus" => number(context, "gpus", partition),
      "cores" => number(context, "cores", partition),
      "memory" => number(context, "memory", partition, whole: false),
      "begin" => number(context, "begin", nil, whole: false),
      "mail" => @site["mail"] == true ? one_of(context, "mail", %w[0 1]) : "0",
      "resolution" => one_of(context, "resolution", @site["resolutions"]),
      "quality" => one_of(context, "quality", @site["qualities"].map { |one| one["name"] }),
      "keyboard" => one_of(context, "keyboard", @site["keyboards"]),
      "desktop_name" => desktop_name(context)
    }
  end

  def partition_of(context)
    return nil if partitions.empty?

    name = one_of(context, "queue", partitions.map { |one| one["name"] })
    partitions.find { |one| one["name"] == name }
  end

  def account(context)
    fixed = @site["account"]
    return fixed.empty? ? nil : fixed unless fixed == "ask"

    text = sent(context, "auto_accounts")
    return nil if text.empty?
    return text if text.match?(/\A[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}\z/)

    wrong_value("{name} is {value}, but must be the name of an account.", "account", shown(text))
  end

  def number(context, name, partition, whole: true)
    text = sent(context, name)
    limits = limit(name, partition)
    return [@site[name]["default"], limits["max"]].min if text.empty?
    unless text.match?(whole ? /\A[0-9]{1,6}\z/ : /\A[0-9]{1,6}(\.[0-9]{1,3})?\z/)
      wrong_value(whole ? "{name} is {value}, but must be a whole number." :
                          "{name} is {value}, but must be a number.", name, shown(text))
    end

    value = text.include?(".") ? text.to_f : text.to_i
    return value if value.between?(limits["min"], limits["max"])

    wrong_value("{name} is {value}, but this site allows {min} to {max}.", name, text,
                min: limits["min"], max: limits["max"])
  end

  def one_of(context, name, known, fallback = known.first)
    text = sent(context, name)
    return fallback if text.empty?
    return text if known.include?(text)

    wrong_value("{name} is {value}, but must be one of {known}.", name, shown(text),
                known: known.join(", "))
  end

  # The node looks closer; what it would refuse should not wait in a queue first.
  def desktop_name(context)
    text = sent(context, "desktop_name").strip
    if text.match?(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}&&[^\u200c\u200d]]/)
      wrong_value("{name} is {value}, but must have no control characters.", "desktop_name", shown(text))
    end
    return text unless text.length > most_name_signs

    wrong_value("{name} is {value}, but must have {most} characters at most.", "desktop_name", shown(text),
                most: most_name_signs)
  end

  def wrong_value(english, name, value, **params)
    raise Wrong, say(english, name: name, value: value, **params)
  end

  # A value as it was sent; "" if the form has no such field.
  def sent(context, name)
    return "" unless context.respond_to?(name)

    context.public_send(name).to_s.dup.force_encoding("UTF-8").scrub("?")
  end

  # A value as it may be repeated in an error.
  def shown(text)
    short = plain(text)[0, 60]
    short.inspect + (text.length > 60 ? "..." : "")
  end

  # -- the site's settings

  def read_site
    path = File.join(@root, "site.yml")
    read = YAML.safe_load(File.read(path, encoding: "UTF-8"))
    check_site(read.is_a?(Hash) ? read : {})
  rescue SystemCallError => e
    raise Wrong, "The app's settings cannot be read: #{e.message}. Run `moonlight-hpc ood install`."
  rescue Psych::Exception => e
    raise Wrong, "The app's settings in #{path} are no YAML: #{e.message}"
  end

  def check_site(site)
    texts = %w[cluster command config node_proxy qos account]
    texts.each { |name| site[name] = site[name].to_s }
    wrong("command", "must be an absolute path") unless site["command"].match?(%r{\A/[^\x00-\x1f]+\z})
    wrong("config", "must be an absolute path, or \"\"") unless site["config"].match?(%r{\A(/[^\x00-\x1f]+)?\z})
    unless proxies.include?(site["node_proxy"])
      wrong("node_proxy", "must be one of #{proxies.join(', ')}")
    end
    site["begin"] ||= { "default" => 0, "min" => 0, "max" => 0 } # of before there was one
    %w[hours gpus cores memory begin].each { |name| check_number(site, name) }
    %w[resolutions keyboards sbatch_options].each do |name|
      site[name] = [] if site[name].nil?
      wrong(name, "must be a list of texts") unless list_of(site[name], String)
    end
    %w[partitions qualities].each do |name|
      site[name] = [] if site[name].nil?
      named = list_of(site[name], Hash) && site[name].all? { |one| one["name"].is_a?(String) }
      wrong(name, "must be a list whose items have a name") unless named
    end
    %w[resolutions keyboards qualities].each { |name| wrong(name, "is empty") if site[name].empty? }
    site["partitions"].each { |one| one["label"] = (one["label"] || one["name"]).to_s }
    site["qualities"].each do |one|
      numbers = one["fps"].is_a?(Integer) && one["bitrate_kbps"].is_a?(Integer)
      wrong("qualities", "must have fps and bitrate_kbps as whole numbers") unless numbers
    end
    site
  end

  def proxies
    %w[node rnode secure_node secure_rnode]
  end

  def check_number(site, name)
    numbers = %w[default min max].map { |part| site[name].to_h[part] }
    good = numbers.all? { |one| one.is_a?(Numeric) } && numbers[1] <= numbers[2]
    wrong(name, "must have the numbers default, min and max") unless good
  rescue NoMethodError, TypeError
    wrong(name, "must have the numbers default, min and max")
  end

  def list_of(value, kind)
    value.is_a?(Array) && value.all? { |one| one.is_a?(kind) }
  end

  def wrong(name, what)
    raise Wrong, "#{name} in #{File.join(@root, 'site.yml')} #{what}."
  end

  # -- Moonlight HPC's program

  # Asked once a minute at most: the form is made anew at each look. What was known before serves while
  # it does not answer.
  def cached_images
    path = File.join(cache_directory, "ood-images-#{Digest::SHA256.hexdigest(@root)[0, 12]}.json")
    known = read_list(path)
    return known if known && young?(path, 60)

    said = begin
      ask("images", "--json")
    rescue Wrong
      raise unless known

      JSON.generate(known)
    end
    write_private(path, said)
    list(said)
  rescue SystemCallError # no place for a cache
    list(said || ask("images", "--json"))
  end

  # What it prints, as UTF-8.
  def ask(*arguments, fail: true)
    environment = @site["config"].empty? ? {} : { "MOONLIGHT_HPC_CONFIG" => @site["config"] }
    argv = ["timeout", "--kill-after=2", "20", @site["command"], *arguments]
    output, errors, status = Open3.capture3(environment, *argv, stdin_data: "", binmode: true)
    if fail && !status.success?
      why = plain(errors.lines.last || "it ended with status #{status.exitstatus}")
      raise Wrong, "#{@site['command']} cannot be used here: #{why}"
    end
    output.force_encoding("UTF-8").scrub
  rescue SystemCallError => e
    raise Wrong, "#{@site['command']} cannot be started here: #{e.message}"
  end

  def list(text)
    parsed = JSON.parse(text)
    good = list_of(parsed, Hash) && parsed.all? { |one| one["id"].is_a?(String) }
    good ? parsed : []
  rescue JSON::ParserError
    []
  end

  def object(text)
    parsed = JSON.parse(text)
    parsed.is_a?(Hash) ? parsed : nil
  rescue JSON::ParserError
    nil
  end

  def read_list(path)
    list(File.read(path, encoding: "UTF-8"))
  rescue SystemCallError
    nil
  end

  # A JSON object in the job's directory; nil if it is not there, not whole or no file.
  def read_object(staged, name)
    File.open(File.join(staged.to_s, name), File::RDONLY | File::NOFOLLOW | File::NONBLOCK) do |file|
      return nil unless file.stat.file? && file.size < 1_000_000

      return object(file.read.force_encoding("UTF-8"))
    end
  rescue SystemCallError
    nil
  end

  def cache_directory
    parent = ENV["XDG_CACHE_HOME"].to_s
    parent = File.join(Dir.home, ".cache") unless parent.start_with?("/")
    path = File.join(parent, "moonlight-hpc")
    FileUtils.mkdir_p(path, mode: 0o700)
    path
  end

  def young?(path, seconds)
    age = Time.now - File.mtime(path)
    age.between?(0, seconds)
  rescue SystemCallError
    false
  end

  def write_private(path, text)
    part = "#{path}.#{Process.pid}"
    File.open(part, File::WRONLY | File::CREAT | File::TRUNC | File::NOFOLLOW, 0o600) do |file|
      file.write(text)
    end
    File.rename(part, path)
  end
end
