# frozen_string_literal: true

# The words of this app in the language of the dashboard around it: Open OnDemand has one for a whole
# portal (OOD_LOCALE), which Rails calls I18n.locale; what a browser would like better no template can
# know. words/LANGUAGE.json has what is said here by its English, and the sentences of Moonlight HPC
# itself by their codes; what is not there stays English. In ASCII, as all of the app that is code.

require "json"

class MoonlightWords
  # The language that is spoken, by its tag.
  attr_reader :language

  def initialize(wanted = defined?(I18n) ? I18n.locale : "en")
    tag = wanted.to_s.tr("_", "-").downcase
    @language = [tag, tag.split("-").first.to_s].find { |one| one.match?(/\A[a-z0-9-]+\z/) && read(one) }
    @language ||= "en"
  end

  # A sentence, with what it speaks of: `{name}` stands for a parameter.
  def say(english, **params)
    fill(known("words")[english] || english, params.transform_keys(&:to_s))
  end

  # A sentence of Moonlight HPC's, which has a code, if all that its words speak of is there.
  def said(code, params, message)
    given = { **(params.is_a?(Hash) ? params : {}), "message" => message }
    words = known("said")[code.to_s]
    return message unless words && words.scan(/\{(\w+)\}/).flatten.all? { |name| given.key?(name) }

    fill(words, given)
  end

  # What has a name of its own in some languages.
  def named(plain, others)
    found = others.is_a?(Hash) ? others[@language] : nil
    found.is_a?(String) && !found.empty? ? found : plain
  end

  private

  def fill(words, params)
    words.to_s.scrub(" ").gsub(/\{(\w+)\}/) { |whole| params.fetch(Regexp.last_match(1), whole).to_s }
  end

  def known(kind)
    found = @read.to_h[kind]
    found.is_a?(Hash) ? found : {}
  end

  # Beside this file itself, wherever a link to it is. True if the language is there.
  def read(tag)
    path = File.join(File.dirname(File.realpath(__FILE__)), "words", "#{tag}.json")
    parsed = JSON.parse(File.read(path, encoding: "UTF-8"))
    parsed.is_a?(Hash) && @read = parsed
  rescue SystemCallError, JSON::ParserError
    false
  end
end
