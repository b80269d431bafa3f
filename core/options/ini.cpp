#include "core/options/ini.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>

#include "core/base/error.h"
#include "core/storage/access.h"
#include "core/storage/missing_path.h"
#include "core/unicode/unicode.h"

namespace edt {
namespace {

constexpr std::uintmax_t kLargestFile = 1 << 20;
constexpr std::string_view kBlank = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool is_comment(std::string_view text) { return text.starts_with('#') || text.starts_with(';'); }

bool is_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
}

// What a shell gives for `--config <(command)`, or `command | edt ... --config /dev/stdin`.
bool is_open_pipe(const std::filesystem::path& path, const std::filesystem::file_status& status) {
  const std::string name = path.string();
  const bool is_open =
      name == "/dev/stdin" || name.starts_with("/dev/fd/") || name.starts_with("/proc/self/fd/");
  return is_open && std::filesystem::is_fifo(status);
}

class IniParser {
 public:
  explicit IniParser(std::string name) { file_.name = std::move(name); }

  IniFile parse(std::string_view text) {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    while (!text.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      ++line_;
      parse_line(trimmed(text.substr(0, end)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::move(file_);
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail<UsageError>("config", "{}:{}: {}", file_.name, line_,
                     fmt::format(format, std::forward<Args>(args)...));
  }

  void parse_line(std::string_view line) {
    if (line.find('\0') != std::string_view::npos) refuse("a zero byte: not a text file");
    if (line.empty() || is_comment(line)) return;
    if (line.front() == '[') return parse_section(line);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) refuse("expected 'key = value' or '[section]'");
    const std::string_view key = trimmed(line.substr(0, equals));
    if (!is_key(key)) {
      const std::string found = stand_ins(key);
      refuse("a key has letters, digits, '.', '-' and '_' only{}",
             found.empty() ? "" : "; this one has " + found);
    }
    add(key, parse_value(trimmed(line.substr(equals + 1))));
  }

  void parse_section(std::string_view line) {
    const auto end = line.find(']');
    if (end == std::string_view::npos) refuse("the section has no ']'");
    const std::string_view rest = trimmed(line.substr(end + 1));
    if (!rest.empty() && !is_comment(rest)) refuse("text after the section's ']'");
    const std::string_view section = trimmed(line.substr(1, end - 1));
    if (!is_key(section)) refuse("a section has letters, digits, '.', '-' and '_' only");
    section_ = canonical_key(section);
  }

  std::string parse_value(std::string_view text) const {
    if (text.starts_with('"')) return parse_quoted(text.substr(1));
    if (is_comment(text)) return "";
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (is_comment(text.substr(i)) && kBlank.find(text[i - 1]) != std::string_view::npos) {
        return std::string(trimmed(text.substr(0, i)));
      }
    }
    return std::string(text);
  }

  std::string parse_quoted(std::string_view text) const {
    std::string value;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '"') {
        const std::string_view rest = trimmed(text.substr(i + 1));
        if (!rest.empty() && !is_comment(rest)) refuse("text after the closing quote");
        return value;
      }
      if (text[i] == '\\') {
        value += parse_escape(text, ++i);
      } else {
        value += text[i];
      }
    }
    refuse("the quoted value does not end on this line");
  }

  // `i` is at the character after the backslash and is left at the last one of the escape.
  char parse_escape(std::string_view text, std::size_t& i) const {
    constexpr std::string_view kNames = "\"\\ntr";
    constexpr std::string_view kMeanings = "\"\\\n\t\r";
    if (i < text.size()) {
      const auto index = kNames.find(text[i]);
      if (index != std::string_view::npos) return kMeanings[index];
      unsigned char code = 0;
      if (text[i] == 'x' && i + 2 < text.size()) {
        const char* first = text.data() + i + 1;
        if (std::from_chars(first, first + 2, code, 16).ptr == first + 2) {
          i += 2;
          return static_cast<char>(code);
        }
      }
    }
    refuse("unknown escape in a quoted value; known are \\\" \\\\ \\n \\t \\r \\xHH");
  }

  void add(std::string_view key, std::string value) {
    std::string full = section_.empty() ? canonical_key(key) : section_ + "." + canonical_key(key);
    const auto [seen, is_new] = lines_.emplace(full, line_);
    if (!is_new) refuse("'{}' was already set in line {}", full, seen->second);
    file_.entries.push_back({std::move(full), std::move(value), line_});
  }

  IniFile file_;
  std::string section_;
  std::map<std::string, int> lines_;
  int line_ = 0;
};

}  // namespace

IniFile parse_ini(std::string_view text, std::string name) {
  return IniParser(std::move(name)).parse(text);
}

IniFile read_ini_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  require<UsageError>(std::filesystem::exists(status), "config", "{}: no such file{}",
                      path.string(), missing_path_hint(path));
  require<UsageError>(std::filesystem::is_regular_file(status) || is_open_pipe(path, status),
                      "config", "{}: not a file", path.string());
  const std::string denied = reading_problem(path);
  require<UsageError>(denied.empty(), "config", "{}", denied);
  std::ifstream stream(path, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  require<UsageError>(stream.good() || stream.eof(), "config", "{}: cannot be read", path.string());
  text.resize(static_cast<std::size_t>(stream.gcount()));
  require<UsageError>(text.size() <= kLargestFile, "config",
                      "{}: a configuration has at most {} bytes", path.string(), kLargestFile);
  return parse_ini(text, path.string());
}

std::string ini_value(std::string_view value) {
  // Names of files need not be UTF-8; what holds a configuration as text, a checkpoint's manifest,
  // has to be.
  const bool only_ascii = !is_utf8(value);
  const auto is_shown = [&](unsigned char c) {
    return c >= 0x20 && c != 0x7f && (c < 0x80 || !only_ascii);
  };
  const bool plain = trimmed(value) == value && value.find_first_of("\"#;\\") == value.npos &&
                     std::all_of(value.begin(), value.end(), is_shown);
  if (plain) return std::string(value);
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (!is_shown(static_cast<unsigned char>(c))) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string canonical_key(std::string_view key) {
  std::string canonical(key);
  std::replace(canonical.begin(), canonical.end(), '_', '-');
  return canonical;
}

}  // namespace edt
