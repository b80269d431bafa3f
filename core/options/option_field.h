// One option's value: a field of the caller's struct behind a text interface.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

}  // namespace option_type

// The field as an option's value: bool, integers, float, double, std::string, a path, or a list or
// an optional of these. All types that options have are listed in value_field.cpp, so that what
// reads and writes them is compiled once.
template <class T>
std::unique_ptr<OptionField> value_field(T* field);

// One of several values, each with a name. Of several names of one value the first counts; others
// are former names, which are read and not shown.
class NamedField : public OptionField {
 public:
  bool parse(std::string_view text) override;
  std::string text() const override;
  nlohmann::ordered_json json() const override;
  std::string expected() const override;
  std::string placeholder() const override;
  std::vector<std::string> words() const override { return {text()}; }
  std::vector<std::string> choices() const override;

 protected:
  // Values are told apart by the place of their first name.
  void add_name(std::string name, std::size_t place) {
    names_.emplace_back(std::move(name), place);
  }

 private:
  virtual std::size_t place() const = 0;
  virtual void choose(std::size_t place) = 0;

  std::vector<std::pair<std::string, std::size_t>> names_;
};

template <class E>
class EnumField final : public NamedField {
 public:
  EnumField(E* field, const std::vector<std::pair<std::string, E>>& names) : field_(field) {
    for (const auto& [name, value] : names) {
      values_.push_back(value);
      add_name(name, place_of(value));
    }
  }

 private:
  std::size_t place_of(const E& value) const {
    return static_cast<std::size_t>(std::ranges::find(values_, value) - values_.begin());
  }
  std::size_t place() const override { return place_of(*field_); }
  void choose(std::size_t place) override { *field_ = values_[place]; }

  E* field_;
  std::vector<E> values_;
};

}  // namespace edt
