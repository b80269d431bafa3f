// Options, declared once: bound to fields of plain structs, the same names on the command line
// (--section.name=value, or --name where one option alone is meant) and in INI files ([section]
// name = value). The command line wins over files, later files over earlier ones. Unknown names,
// abbreviations, malformed values and options that would have no effect are refused with
// UsageError.
//
//   OptionSet options("train", "Trains a model from latents.");
//   options.section("train", "Training");
//   options.add("train.steps", &config.steps, "optimizer steps").alias("steps").at_least(1);
//   if (!options.parse(args)) ...  // --help was asked for
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/options/command_line.h"
#include "core/options/ini.h"
#include "core/options/option_description.h"
#include "core/options/option_field.h"

namespace edt {

struct CommandLineArgument;

class Option {
 public:
  Option(std::string name, std::unique_ptr<OptionField> field, std::string help);

  // Another name on the command line, beside that without its section. Of several commands that
  // have an option in common all take the same names.
  Option& alias(std::string name);
  // Shown in --help, e.g. "images", "GiB".
  Option& unit(std::string unit);
  // Shown there as the default, for one that stands for something: "that of the preset".
  Option& default_is(std::string what);
  // Bounds for the number, or for every element of a list.
  Option& range(long double lowest, long double highest);
  Option& at_least(long double lowest);
  Option& above(long double bound);
  Option& below(long double bound);  // beside another bound
  // Is computed with in single precision, in which it must obey the bounds too: a value that is not
  // zero must not become zero there, nor one that is finite infinite.
  Option& single_precision();
  // The only texts allowed, for the value or for every element of a list.
  Option& choices(std::vector<std::string> allowed);
  // Any other rule: `check` returns what the value must be, or "" when it is fine.
  Option& check(std::function<std::string()> rule);
  // May be given without its name, in the order of declaration.
  Option& positional();
  // The same for a list: takes all such arguments that are left, one element each.
  Option& positional_list();
  Option& required();
  // Given anywhere else than on the command line it is unknown; the configuration leaves it out.
  Option& command_line_only();
  // A path: one that is relative is counted from the present directory and kept in full, so that it
  // names the same place wherever the configuration is read again.
  Option& absolute();
  // May be another one when a run goes on: it changes no weight (or, as the device does, only
  // their rounding). All others change the curve.
  Option& free_to_change();
  // Belongs to the value that `other` has in the same source, as an output of a run does: where a
  // later source gives `other` another one, this one is left out.
  Option& belongs_to(std::string other);
  // Has an effect only while the option `other` has one of `values`. Otherwise refused; but where a
  // later source has changed `other`, the value is left out: a run's own configuration is a
  // beginning that can be changed.
  Option& used_when(std::string other, std::vector<std::string> values);
  // Its default is `value` where the option `other`, declared before, has one of `values`.
  Option& follows(std::string other, std::vector<std::string> values, std::string value);

 private:
  friend class OptionSet;
  friend class OptionDescriber;

  std::string expected() const;
  bool is_in_bounds(long double number) const;
  // Empty when the value obeys range, choices and rules; else what was expected.
  std::string broken_rule() const;

  struct Condition {
    std::string other;                // empty: nothing to compare with
    std::vector<std::string> values;  // of it; of a list, one of its elements is enough
    std::string owner;                // whom the option belongs to; empty: nobody
  };
  struct Following {
    Condition condition;
    std::string value;
  };
  bool has_default() const { return field_->text() == default_now_; }

  std::string name_, help_, unit_, default_text_;
  std::string default_now_;  // that of follows() where its condition holds, else default_text_
  std::vector<std::string> aliases_;
  std::string owner_, owner_value_;  // belongs_to(): the option, and its value beside this one's
  std::string default_shown_;        // instead of default_text_; empty: that one
  std::string origin_ = "default";
  int source_ = 0;  // that gave the value; later ones have higher numbers
  std::unique_ptr<OptionField> field_;
  std::vector<std::string> choices_;
  std::string range_text_;
  std::vector<std::function<bool(long double)>> bounds_;
  std::vector<std::function<std::string()>> rules_;
  std::vector<Condition> conditions_;
  std::optional<Following> following_;
  bool positional_ = false, takes_rest_ = false, required_ = false, command_line_only_ = false,
       absolute_ = false, free_to_change_ = false, single_ = false, given_ = false;
};

// An option that belongs to somebody, where `other` has one of `values`.
struct OwnedOption {
  std::string name, owner, other;
  std::vector<std::string> values;
};

// An option whose value differs from an earlier configuration's.
struct OptionChange {
  std::string name, before, after;
  bool changes_curve = true;  // not free_to_change()
};

class OptionSet {
 public:
  // `command` names the set in messages and in --help: "data synth".
  OptionSet(std::string command, std::string summary);

  // The field's present value is the default. Fields must outlive the set.
  template <class T>
  Option& add(std::string name, T* field, std::string help) {
    return add_field(std::move(name), value_field(field), std::move(help));
  }
  template <class E>
  Option& add(std::string name, E* field, const std::vector<std::pair<std::string, E>>& names,
              std::string help) {
    return add_field(std::move(name), std::make_unique<EnumField<E>>(field, names),
                     std::move(help));
  }

  // Options that are added while it lives belong to `owner`, a family of models or a setting: they
  // have an effect only where `other` has one of `values`, or, without `other`, where
  // refuse_others() is told so. A refusal names both. The default, which says nothing, is taken.
  class Scope {
   public:
    Scope(OptionSet& options, std::string owner, std::string other = {},
          std::vector<std::string> values = {})
        : options_(options) {
      options_.scopes_.push_back({std::move(other), std::move(values), std::move(owner)});
    }
    ~Scope() { options_.scopes_.pop_back(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    OptionSet& options_;
  };
  // Of those without `other`: UsageError where one was given that belongs to nobody of `owners`;
  // `what` says who is there: "the model is DiT-S/2".
  void refuse_others(std::initializer_list<std::string_view> owners, std::string_view what) const;
  // All that belong to somebody.
  std::vector<OwnedOption> owned() const;
  // All that have an effect only where another option has some value; of several such conditions,
  // each by itself. Who has no owner has an empty one.
  std::vector<OwnedOption> conditional() const;

  // For commands that take the options of another one and can do without `name`.
  void not_required(std::string_view name);

  // The heading of all options whose name begins with `prefix` and a dot.
  void section(std::string prefix, std::string title);

  // Before all other sources comes the one that belongs to the value that `option` will have, if
  // there is one: `read` gives it. As the directory of a run has a configuration of its own.
  // `is_given` says of the name of an option whether one of those other sources has it.
  using IsGiven = std::function<bool(std::string_view name)>;
  using SourceOf = std::function<std::optional<IniFile>(const std::filesystem::path& value,
                                                        const IsGiven& is_given)>;
  void begin_with(std::string option, SourceOf read);

  // Reads --config files, then the command line, then checks. False when --help was among the
  // arguments; nothing else has been read then.
  bool parse(std::span<const std::string> args);

  // The same in steps, for values that come from elsewhere (a checkpoint's configuration).
  void read(const IniFile& ini);
  // Skips sections that have no option here; unknown names in known sections are refused.
  void read_known_sections(const IniFile& ini);
  // Required options and options without effect.
  void check();
  // A line about where values came from, for left_out().
  void note(std::string line) { left_out_.push_back(std::move(line)); }
  // What check() has left out, and why, a line each.
  const std::vector<std::string>& left_out() const { return left_out_; }

  bool given(std::string_view name) const;
  // What differs from a configuration that was written by to_ini(), by this version or another:
  // what it lacks had its default. Of the options that have an effect now.
  std::vector<OptionChange> changes_since(const IniFile& earlier) const;
  // All sections, in the order of declaration.
  std::vector<std::string> section_names() const;
  // "--section.name=value" for every option of a section that was given, for another command.
  std::vector<std::string> given_arguments(std::string_view section) const;
  // "default", "command line" or "file:line".
  const std::string& origin(std::string_view name) const;

  CommandDescription description() const;
  std::string help() const { return help_text(description()); }
  // The effective configuration: everything that is used. Reading it back gives the same values.
  std::string to_ini() const { return ini_of(false); }
  // Of it, what is not as it is by default.
  std::string changes() const { return ini_of(true); }
  nlohmann::ordered_json to_json() const;

 private:
  friend class OptionDescriber;

  Option& add_field(std::string name, std::unique_ptr<OptionField> field, std::string help);
  void read_entry(const IniEntry& entry, const std::string& file);
  void read_first_source(std::span<const CommandLineArgument> arguments,
                         std::span<const IniFile> files);
  // At the end of a source.
  void end_source();
  void note_owners();
  void follow_others();
  void assign(Option& option, std::string_view value, std::string origin);
  // By its name, another name, or its name without the section where only one option has that.
  const Option* find(std::string_view name) const;
  const Option* find_named(std::string_view name) const;
  // All names that find() takes for it, its own first.
  std::vector<std::string> spellings(const Option& option) const;
  void read_command_line(std::span<const CommandLineArgument> arguments);
  std::string unexpected(const std::string& argument, const std::string& flag) const;
  std::string ini_of(bool changes_only) const;
  const Option& get(std::string_view name) const;
  bool holds(const Option::Condition& condition) const;
  // The first condition that does not hold; nullptr: all do.
  const Option::Condition* unmet_condition(const Option& option) const;
  std::string explain(const Option::Condition& condition) const;
  // The condition for which the option, having been given, has no effect.
  const Option::Condition* useless_for(const Option& option) const;
  // Why a later source has made the option useless, and which option did; nothing: it counts.
  struct Overridden {
    const Option* by = nullptr;
    std::string why;
  };
  Overridden overridden(const Option& option) const;
  bool leave_out_what_was_overridden();
  bool in_configuration(const Option& option) const;
  std::vector<std::string> names(bool with_command_line) const;

  std::string command_, summary_;
  std::vector<std::unique_ptr<Option>> options_;
  std::vector<std::pair<std::string, std::string>> sections_;
  std::vector<Option::Condition> scopes_;
  std::vector<std::string> left_out_;
  std::string first_option_;  // begin_with()
  SourceOf first_source_;
  int source_ = 0;                     // being read; 0: none yet
  std::filesystem::path config_file_;  // the type shown in --help; all given files are read
};

}  // namespace edt
