#include "core/unicode/unicode.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace edt {
namespace {

constexpr int kComposed = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
constexpr int kDecomposed = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
constexpr int kLook = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                      UTF8PROC_IGNORE | UTF8PROC_LUMP;

const utf8proc_uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

std::string mapped(std::string_view text, int options) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(bytes_of(text), static_cast<utf8proc_ssize_t>(text.size()), &result,
                   static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owned(result, std::free);
  if (size < 0) return std::string(text);
  return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(size)};
}

}  // namespace

std::string composed(std::string_view text) { return mapped(text, kComposed); }

std::string decomposed(std::string_view text) { return mapped(text, kDecomposed); }

std::string look_of(std::string_view text) {
  const std::string look = mapped(text, kLook);
  const std::size_t begin = std::min(look.find_first_not_of(' '), look.size());
  return look.substr(begin, look.find_last_not_of(' ') + 1 - begin);
}

std::string stand_ins(std::string_view text) {
  while (!text.empty()) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t size =
        utf8proc_iterate(bytes_of(text), static_cast<utf8proc_ssize_t>(text.size()), &point);
    if (size <= 0) return "";  // no UTF-8
    const std::string_view character = text.substr(0, static_cast<std::size_t>(size));
    text.remove_prefix(character.size());
    if (point < 0x80) continue;
    const bool is_double_quote = point >= 0x201C && point <= 0x201F;
    const std::string like = is_double_quote ? "\"" : mapped(character, kLook);
    if (like.empty()) return fmt::format("U+{:04X}, which cannot be seen", point);
    const bool is_on_keyboard = like.size() == 1 && static_cast<unsigned char>(like[0]) < 0x80;
    if (is_on_keyboard) {
      return fmt::format("U+{:04X} for {}", point,
                         like == " " ? std::string("a blank") : "'" + like + "'");
    }
  }
  return "";
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t size =
        utf8proc_iterate(bytes_of(text), static_cast<utf8proc_ssize_t>(text.size()), &point);
    if (size <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

}  // namespace edt
