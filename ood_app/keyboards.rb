# frozen_string_literal: true

# X11 keyboard layouts by what they are called: mostly the language that is written with them.

class MoonlightKeyboards
  def self.names
    {
      "us" => "English (US)", "gb" => "English (UK)", "ie" => "English (Ireland)", "de" => "German",
      "at" => "German (Austria)", "ch" => "Swiss", "ch(fr)" => "Swiss French", "fr" => "French",
      "ca" => "French (Canada)", "be" => "Belgian", "nl" => "Dutch", "es" => "Spanish",
      "latam" => "Spanish (Latin America)", "pt" => "Portuguese", "br" => "Portuguese (Brazil)",
      "it" => "Italian", "dk" => "Danish", "no" => "Norwegian", "se" => "Swedish", "fi" => "Finnish",
      "is" => "Icelandic", "ee" => "Estonian", "lv" => "Latvian", "lt" => "Lithuanian",
      "pl" => "Polish", "cz" => "Czech", "sk" => "Slovak", "hu" => "Hungarian", "ro" => "Romanian",
      "bg" => "Bulgarian", "hr" => "Croatian", "si" => "Slovenian", "rs" => "Serbian", "gr" => "Greek",
      "tr" => "Turkish", "ru" => "Russian", "ua" => "Ukrainian", "il" => "Hebrew", "ara" => "Arabic",
      "ir" => "Persian", "in" => "Indian", "th" => "Thai", "vn" => "Vietnamese", "cn" => "Chinese",
      "tw" => "Chinese (Taiwan)", "jp" => "Japanese", "kr" => "Korean"
    }
  end
end
