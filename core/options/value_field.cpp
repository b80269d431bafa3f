#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <concepts>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/options/option_field.h"

namespace edt {
namespace option_type {
namespace {

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

}  // namespace
}  // namespace option_type

namespace {

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

}  // namespace

template <class T>
std::unique_ptr<OptionField> value_field(T* field) {
  return std::make_unique<ValueField<T>>(field);
}

// Every type of an option, also in lists and where it may be none.
#define EDT_OPTION_TYPE(...)                                       \
  template std::unique_ptr<OptionField> value_field(__VA_ARGS__*); \
  template std::unique_ptr<OptionField> value_field(std::vector<__VA_ARGS__>*);
#define EDT_OPTIONAL_TYPE(...)                                                    \
  EDT_OPTION_TYPE(__VA_ARGS__)                                                    \
  template std::unique_ptr<OptionField> value_field(std::optional<__VA_ARGS__>*); \
  template std::unique_ptr<OptionField> value_field(std::optional<std::vector<__VA_ARGS__>>*);
template std::unique_ptr<OptionField> value_field(bool*);
template std::unique_ptr<OptionField> value_field(std::optional<bool>*);
EDT_OPTIONAL_TYPE(float)
EDT_OPTIONAL_TYPE(double)
EDT_OPTIONAL_TYPE(std::int64_t)
EDT_OPTION_TYPE(int)
EDT_OPTION_TYPE(std::uint64_t)
EDT_OPTION_TYPE(std::string)
EDT_OPTION_TYPE(std::filesystem::path)
#undef EDT_OPTIONAL_TYPE
#undef EDT_OPTION_TYPE

}  // namespace edt
