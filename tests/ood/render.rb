# frozen_string_literal: true

# Renders this app's templates as Open OnDemand does (4.2, apps/dashboard/app/models/batch_connect), with
# Debian's Ruby alone. Standard input: a JSON list of what is asked; standard output: the answers to each.
#
#   {"do": "form" | "submit" | "stage" | "card", "app": DIRECTORY,
#    "context": {FIELD: TEXT}, "session": {...}, "staged_root": DIRECTORY,
#    "locale": the dashboard's (OOD_LOCALE), "before": "4.2" for an Open OnDemand whose views know no session}

require "erb"
require "fileutils"
require "json"
require "open3"
require "ostruct"
require "pathname"
require "yaml"

App = Struct.new(:root)

# What Rails has of it: the dashboard's language.
module I18n
  class << self
    attr_accessor :locale
  end
end

# One job of the user's: what a template can ask of it.
class Session
  attr_reader :id, :job_id, :staged_root, :app

  def initialize(app, asked)
    @app = app
    @id = asked["id"]
    @job_id = asked["job_id"]
    @state = asked["state"]
    @staged_root = Pathname.new(asked["staged_root"])
  end

  def starting?
    @state == "running" && !connect_file.file?
  end

  def running?
    @state == "running" && connect_file.file?
  end

  def completed?
    @state == "completed"
  end

  def connect_file
    staged_root.join("connection.yml")
  end

  def connect
    OpenStruct.new(YAML.safe_load(connect_file.read))
  end

  def part(name)
    ERB.new(app.root.join(name).read, trim_mode: "-").result(binding)
  end

  # As connections/_custom.html.erb, whose local variables a view sees.
  def view(knows_session)
    text = app.root.join("view.html.erb").read
    return ERB.new(text, trim_mode: "-").result(connect.instance_eval { binding }) unless knows_session

    session = self
    raise unless session # it is there for the binding

    ERB.new(text, trim_mode: "-").result(connect.instance_eval { binding })
  end
end

# The form's values: reading one of a field that the form does not have is an error.
class Context
  def initialize(values)
    @values = values
  end

  def method_missing(name, *arguments)
    @values.key?(name.to_s) ? @values[name.to_s].to_s : super
  end

  def respond_to_missing?(name, include_private = false)
    @values.key?(name.to_s) || super
  end

  def to_openstruct(addons)
    OpenStruct.new(@values.transform_values(&:to_s).merge(addons))
  end
end

TemplateBinding = Struct.new(:session, :context) do
  def get_binding
    binding
  end
end

def yaml_erb(path, binding)
  erb = ERB.new(path.read, trim_mode: "-")
  erb.filename = path.to_s
  YAML.safe_load(erb.result(binding)).to_h
end

def stage(session, context)
  root = session.app.root.join("template")
  FileUtils.mkdir_p(session.staged_root.to_s, mode: 0o700)
  words, status = Open3.capture2e("rsync", "-rlpv", "--exclude", "*.erb", "#{root}/", session.staged_root.to_s)
  raise words unless status.success?

  binding = TemplateBinding.new(session, context).get_binding
  Pathname.glob(root.join("**", "*.erb")).select(&:file?).each do |file|
    rendered = ERB.new(file.read, trim_mode: "-").result(binding)
    output = session.staged_root.join(file.to_s.delete_prefix("#{root}/")).sub_ext("")
    output.write(rendered)
    output.chmod(file.stat.mode)
  end
end

def answer(asked)
  I18n.locale = (asked["locale"] || "en").to_sym
  app = App.new(Pathname.new(asked["app"]))
  context = Context.new(asked["context"].to_h)
  session = Session.new(app, asked["session"]) if asked["session"]
  case asked["do"]
  when "form"
    { "form" => yaml_erb(app.root.join("form.yml.erb"), nil) }
  when "submit"
    struct = context.to_openstruct("staged_root" => asked["staged_root"])
    { "submit" => yaml_erb(app.root.join("submit.yml.erb"), struct.instance_eval { binding }) }
  when "stage"
    stage(session, context)
    {}
  when "card"
    parts = { "info" => session.part("info.md.erb") }
    parts["completed"] = session.part("completed.md.erb") if session.completed?
    if session.running?
      parts["connect"] = session.connect.to_h
      parts["view"] = session.view(asked["before"].nil?)
    end
    parts
  end
rescue StandardError, Psych::SyntaxError => e
  { "error" => e.message, "class" => e.class.name }
end

puts JSON.generate(JSON.parse($stdin.read).map { |asked| answer(asked) })
