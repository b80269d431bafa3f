// One option's value: a field of the caller's struct behind a text interface.
// Types: bool, integers, float, double, std::string, paths, and lists and optionals of these.
#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace edt {

class OptionField {
 public:
  virtual ~OptionField() = default;

  // Writes the field; false, leaving it as it was, when `text` is not of the type.
  virtual bool parse(std::string_view text) = 0;
  // parse(text()) gives the same value.
  virtual std::string text() const = 0;
  virtual nlohmann::ordered_json json() const = 0;
  // What the type looks like: "an integer", and in --help: "INT".
  virtual std::string expected() const = 0;
  virtual std::string placeholder() const = 0;
  // For checks: every element as text, and as a number where it is one.
  virtual std::vector<std::string> words() const = 0;
  virtual std::vector<long double> numbers() const { return {}; }
  virtual bool is_flag() const { return false; }
  // All that parse() takes, where it is one of few words; of synonyms one.
  virtual std::vector<std::string> choices() const { return {}; }
  // Whether `text` stands for the present value; of files by any of their names.
  virtual bool is(std::string_view text) const { return text == this->text(); }
  // A relative path becomes one from the root; other values stay.
  virtual void make_absolute() {}
};

namespace option_type {

template <class T>
struct ListOf : std::false_type {};
template <class T>
struct ListOf<std::vector<T>> : std::true_type {
  using Element = T;
};
template <class T>
struct OptionalOf : std::false_type {};
template <class T>
struct OptionalOf<std::optional<T>> : std::true_type {
  using Element = T;
};

template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool>;
template <class T>
concept Text = std::same_as<T, std::string> || std::same_as<T, std::filesystem::path>;

// Splits at commas; a backslash keeps the next character. Blanks around elements are dropped.
std::vector<std::string> split_list(std::string_view text);
std::string list_element(std::string_view text);
std::optional<bool> parse_flag(std::string_view text);
bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b);
// "~" and "~/..." are below HOME: shells replace them in "--dir ~/a", but not in "--dir=~/a" and in
// files.
std::filesystem::path path_of(std::string_view text);
// Counted from the present directory, which a later start of the program need not share.
std::filesystem::path absolute(const std::filesystem::path& path);

// False, leaving `value` as it was, when `text` is not a T.
template <class T>
bool parse(std::string_view text, T& value) {
  if constexpr (ListOf<T>::value) {
    T list;
    for (const std::string& part : split_list(text)) {
      typename ListOf<T>::Element element{};
      if (part.empty() || !parse(part, element)) return false;
      list.push_back(std::move(element));
    }
    value = std::move(list);
  } else if constexpr (OptionalOf<T>::value) {
    typename OptionalOf<T>::Element element{};
    if (text != "none" && !parse(text, element)) return false;
    value.reset();
    if (text != "none") value = std::move(element);
  } else if constexpr (std::same_as<T, bool>) {
    const auto flag = parse_flag(text);
    if (flag) value = *flag;
    return flag.has_value();
  } else if constexpr (std::same_as<T, std::filesystem::path>) {
    value = path_of(text);
  } else if constexpr (Text<T>) {
    value = text;
  } else {
    static_assert(Integer<T> || std::floating_point<T>, "not a type an option can have");
    T number{};
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, number);
    if (result.ec != std::errc{} || result.ptr != end) return false;
    if constexpr (std::floating_point<T>) {
      if (!std::isfinite(number)) return false;
    }
    value = number;
  }
  return true;
}

template <class T>
std::string format(const T& value) {
  if constexpr (ListOf<T>::value) {
    std::string text;
    for (const auto& element : value) {
      if (!text.empty()) text += ',';
      text += list_element(format(element));
    }
    return text;
  } else if constexpr (OptionalOf<T>::value) {
    return value ? format(*value) : "none";
  } else if constexpr (std::same_as<T, bool>) {
    return value ? "on" : "off";
  } else if constexpr (std::same_as<T, std::filesystem::path>) {
    return value.string();
  } else if constexpr (std::same_as<T, std::string>) {
    return value;
  } else {
    return fmt::format("{}", value);
  }
}

template <class T>
nlohmann::ordered_json json(const T& value) {
  if constexpr (ListOf<T>::value) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& element : value) list.push_back(json(element));
    return list;
  } else if constexpr (OptionalOf<T>::value) {
    return value ? json(*value) : nlohmann::ordered_json(nullptr);
  } else if constexpr (std::same_as<T, std::filesystem::path>) {
    return value.string();
  } else {
    return value;
  }
}

template <class T>
std::string expected() {
  if constexpr (ListOf<T>::value) {
    return "a comma-separated list, each " + expected<typename ListOf<T>::Element>();
  } else if constexpr (OptionalOf<T>::value) {
    return expected<typename OptionalOf<T>::Element>() + " or 'none'";
  } else if constexpr (std::same_as<T, bool>) {
    return "on or off";
  } else if constexpr (Integer<T>) {
    return "an integer";
  } else if constexpr (std::floating_point<T>) {
    return "a finite number";
  } else {
    return "a text";
  }
}

template <class T>
std::string placeholder() {
  if constexpr (ListOf<T>::value) {
    return placeholder<typename ListOf<T>::Element>() + ",...";
  } else if constexpr (OptionalOf<T>::value) {
    return placeholder<typename OptionalOf<T>::Element>();
  } else if constexpr (std::same_as<T, bool>) {
    return "on|off";
  } else if constexpr (Integer<T>) {
    return "INT";
  } else if constexpr (std::floating_point<T>) {
    return "NUMBER";
  } else {
    return std::same_as<T, std::string> ? "TEXT" : "PATH";
  }
}

// Calls `visit` for the value, each element of a list, or the content of an optional.
template <class T, class Visit>
void for_each_element(const T& value, Visit visit) {
  if constexpr (ListOf<T>::value) {
    for (const auto& element : value) visit(element);
  } else if constexpr (OptionalOf<T>::value) {
    if (value) for_each_element(*value, visit);
  } else {
    visit(value);
  }
}

}  // namespace option_type

template <class T>
class ValueField final : public OptionField {
 public:
  explicit ValueField(T* field) : field_(field) {}

  bool parse(std::string_view text) override { return option_type::parse(text, *field_); }
  std::string text() const override { return option_type::format(*field_); }
  nlohmann::ordered_json json() const override { return option_type::json(*field_); }
  std::string expected() const override { return option_type::expected<T>(); }
  std::string placeholder() const override { return option_type::placeholder<T>(); }
  bool is_flag() const override { return std::same_as<T, bool>; }
  std::vector<std::string> choices() const override {
    return placeholder() == "on|off" ? std::vector<std::string>{"on", "off"}
                                     : std::vector<std::string>{};
  }
  bool is(std::string_view text) const override {
    if constexpr (std::same_as<T, std::filesystem::path>) {
      return option_type::is_same_file(*field_, text);
    } else {
      return text == this->text();
    }
  }
  void make_absolute() override {
    if constexpr (std::same_as<T, std::filesystem::path>) *field_ = option_type::absolute(*field_);
  }

  std::vector<std::string> words() const override {
    std::vector<std::string> words;
    option_type::for_each_element(
        *field_, [&](const auto& element) { words.push_back(option_type::format(element)); });
    return words;
  }
  std::vector<long double> numbers() const override {
    std::vector<long double> numbers;
    option_type::for_each_element(*field_, [&](const auto& element) {
      if constexpr (std::is_arithmetic_v<std::decay_t<decltype(element)>>) {
        numbers.push_back(static_cast<long double>(element));
      }
    });
    return numbers;
  }

 private:
  T* field_;
};

// An enumeration, written by name. Of several names of one value the first counts; others are
// former names, which are read and not shown.
template <class E>
class EnumField final : public OptionField {
 public:
  using Names = std::vector<std::pair<std::string, E>>;

  EnumField(E* field, Names names) : field_(field), names_(std::move(names)) {}

  bool parse(std::string_view text) override {
    for (const auto& [name, value] : names_) {
      if (name != text) continue;
      *field_ = value;
      return true;
    }
    return false;
  }
  std::string text() const override {
    for (const auto& [name, value] : names_) {
      if (value == *field_) return name;
    }
    fail("options", "a default that has no name");
  }
  nlohmann::ordered_json json() const override { return text(); }
  std::string expected() const override { return "one of " + joined(", "); }
  std::string placeholder() const override { return joined("|"); }
  std::vector<std::string> words() const override { return {text()}; }
  std::vector<std::string> choices() const override {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const auto same = [&](const auto& entry) { return entry.second == names_[i].second; };
      const auto before = names_.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find_if(names_.begin(), before, same) == before) all.push_back(names_[i].first);
    }
    return all;
  }

 private:
  std::string joined(std::string_view separator) const {
    return fmt::format("{}", fmt::join(choices(), separator));
  }

  E* field_;
  Names names_;
};

}  // namespace edt
