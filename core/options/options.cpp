#include "core/options/options.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/options/nearest.h"
#include "core/options/other_names.h"
#include "core/options/renamed.h"
#include "core/unicode/unicode.h"

namespace edt {
namespace {

std::string joined(std::span<const std::string> words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

std::string section_of(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == name.npos ? "" : std::string(name.substr(0, dot));
}

// Bounds come as long double, which holds every 64-bit integer here, and are shown without noise.
std::string shown(long double bound) { return fmt::format("{}", static_cast<double>(bound)); }

// Without the first section: "latent.after" of "align.latent.after".
std::string_view key_of(std::string_view name) { return name.substr(name.find('.') + 1); }

bool contains(std::span<const std::string> words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// What a path must be that this one is not: an address, or a name with a variable of the shell in
// it. Empty: it may well be one, as any does of which there is a file.
std::string no_path(std::string_view text) {
  std::error_code ignored;
  if (text.empty() || std::filesystem::exists(std::filesystem::path(text), ignored)) return "";
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) || c == '_'; };
  const std::size_t scheme = text.find("://");
  const bool is_address = scheme != text.npos && scheme >= 2 &&
                          std::ranges::all_of(text.substr(0, scheme), [](unsigned char c) {
                            return std::isalnum(c) || c == '+' || c == '.' || c == '-';
                          });
  if (is_address || text.starts_with("pipe:")) {
    return "a path of this machine, not an address or a command: nothing is fetched, copy or "
           "mount it first";
  }
  const std::size_t dollar = text.find('$');
  const bool is_variable = dollar != text.npos && dollar + 1 < text.size() &&
                           (text[dollar + 1] == '{' || is_letter(text[dollar + 1]));
  if (is_variable) {
    return "a path; variables ($NAME) are replaced by shells alone, not in single quotes, and not "
           "in configurations";
  }
  return "";
}

// What was copied from a page may look right and be none of the characters that are meant.
std::string stand_in_note(std::string_view text) {
  const std::string found = stand_ins(text);
  return found.empty() ? "" : fmt::format("; it has {}", found);
}

// Says so where `name` is one that an option had in an earlier version.
void note_former(OptionSet& options, std::string_view command, std::string_view name,
                 std::string_view origin) {
  const std::string_view now = present_name(command, name);
  if (!now.empty()) options.note(fmt::format("{} ({}) is now called {}", name, origin, now));
}

}  // namespace

Option::Option(std::string name, std::unique_ptr<OptionField> field, std::string help)
    : name_(std::move(name)),
      help_(std::move(help)),
      default_text_(field->text()),
      default_now_(default_text_),
      field_(std::move(field)) {}

Option& Option::alias(std::string name) {
  aliases_.push_back(std::move(name));
  return *this;
}

Option& Option::unit(std::string unit) {
  unit_ = std::move(unit);
  return *this;
}

Option& Option::default_is(std::string what) {
  default_shown_ = std::move(what);
  return *this;
}

Option& Option::range(long double lowest, long double highest) {
  range_text_ = fmt::format("from {} to {}", shown(lowest), shown(highest));
  bounds_.push_back([=](long double x) { return x >= lowest && x <= highest; });
  return *this;
}

Option& Option::at_least(long double lowest) {
  range_text_ = fmt::format("at least {}", shown(lowest));
  bounds_.push_back([=](long double x) { return x >= lowest; });
  return *this;
}

Option& Option::above(long double bound) {
  range_text_ = fmt::format("above {}", shown(bound));
  bounds_.push_back([=](long double x) { return x > bound; });
  return *this;
}

Option& Option::below(long double bound) {
  range_text_ += fmt::format("{}below {}", range_text_.empty() ? "" : ", ", shown(bound));
  bounds_.push_back([=](long double x) { return x < bound; });
  return *this;
}

Option& Option::single_precision() {
  single_ = true;
  return *this;
}

Option& Option::choices(std::vector<std::string> allowed) {
  choices_ = std::move(allowed);
  return *this;
}

Option& Option::check(std::function<std::string()> rule) {
  rules_.push_back(std::move(rule));
  return *this;
}

Option& Option::positional() {
  positional_ = true;
  return *this;
}

Option& Option::positional_list() {
  takes_rest_ = true;
  return positional();
}

Option& Option::required() {
  required_ = true;
  return *this;
}

Option& Option::command_line_only() {
  command_line_only_ = true;
  return *this;
}

Option& Option::absolute() {
  absolute_ = true;
  return *this;
}

Option& Option::free_to_change() {
  free_to_change_ = true;
  return *this;
}

Option& Option::belongs_to(std::string other) {
  owner_ = std::move(other);
  return *this;
}

Option& Option::used_when(std::string other, std::vector<std::string> values) {
  conditions_.push_back({std::move(other), std::move(values), {}});
  return *this;
}

Option& Option::follows(std::string other, std::vector<std::string> values, std::string value) {
  following_ = {{std::move(other), std::move(values), {}}, std::move(value)};
  return *this;
}

std::string Option::expected() const {
  if (!choices_.empty()) return "one of " + joined(choices_, ", ");
  return field_->expected() + (range_text_.empty() ? "" : ", " + range_text_) +
         (single_ ? ", in single precision (0, or 1.2e-38 to 3.4e38 in size)" : "");
}

bool Option::is_in_bounds(long double number) const {
  const auto used = static_cast<float>(number);
  if (single_ && number != 0 && !std::isnormal(used)) return false;
  return std::ranges::all_of(
      bounds_, [&](const auto& bound) { return bound(number) && (!single_ || bound(used)); });
}

std::string Option::broken_rule() const {
  if (required_ && field_->text().empty()) return "a text that is not empty";
  for (const std::string& word : field_->words()) {
    if (field_->placeholder().starts_with("PATH")) {
      if (std::string problem = no_path(word); !problem.empty()) return problem;
    }
    if (!choices_.empty() && !contains(choices_, word)) {
      return expected() + suggestion(word, choices_);
    }
  }
  for (const long double number : field_->numbers()) {
    if (!is_in_bounds(number)) return expected();
  }
  for (const auto& rule : rules_) {
    if (std::string broken = rule(); !broken.empty()) return broken;
  }
  return "";
}

OptionSet::OptionSet(std::string command, std::string summary)
    : command_(std::move(command)), summary_(std::move(summary)) {
  add("config", &config_file_, "INI file; of several the later wins, the command line over all")
      .command_line_only();
}

Option& OptionSet::add_field(std::string name, std::unique_ptr<OptionField> field,
                             std::string help) {
  EDT_ASSERT(!find_named(name) && name == canonical_key(name));
  options_.push_back(std::make_unique<Option>(std::move(name), std::move(field), std::move(help)));
  options_.back()->conditions_ = scopes_;
  return *options_.back();
}

void OptionSet::section(std::string prefix, std::string title) {
  sections_.emplace_back(std::move(prefix), std::move(title));
}

const Option* OptionSet::find_named(std::string_view name) const {
  for (const auto& option : options_) {
    if (option->name_ == name || contains(option->aliases_, std::string(name))) return option.get();
  }
  return nullptr;
}

const Option* OptionSet::find(std::string_view name) const {
  if (const Option* option = find_named(name)) return option;
  if (const auto now = present_name(command_, name); !now.empty()) return find(now);
  const Option* found = nullptr;
  for (const auto& option : options_) {
    if (key_of(option->name_) != name) continue;
    if (found) return nullptr;
    found = option.get();
  }
  return found;
}

const Option& OptionSet::get(std::string_view name) const {
  const Option* option = find(name);
  EDT_ASSERT(option);
  return *option;
}

std::vector<std::string> OptionSet::spellings(const Option& option) const {
  std::vector<std::string> all{option.name_};
  const auto add = [&](const std::string& name) {
    if (!contains(all, name)) all.push_back(name);
  };
  std::ranges::for_each(option.aliases_, add);
  const std::string key(key_of(option.name_));
  if (find(key) == &option) add(key);
  return all;
}

std::vector<std::string> OptionSet::names(bool with_command_line) const {
  std::vector<std::string> all;
  for (const auto& option : options_) {
    if (with_command_line || !option->command_line_only_) all.push_back(option->name_);
  }
  if (!with_command_line) return all;
  for (const auto& option : options_) {
    for (std::string& name : spellings(*option)) all.push_back(std::move(name));
  }
  all.push_back("help");
  return all;
}

void OptionSet::assign(Option& option, std::string_view value, std::string origin) {
  if (!option.field_->parse(value)) {
    fail<UsageError>(command_, "{} = '{}' ({}): expected {}{}", option.name_, value, origin,
                     option.expected(), suggestion(value, option.choices_));
  }
  const std::string broken = option.broken_rule();
  require<UsageError>(broken.empty(), command_, "{} = '{}' ({}): expected {}", option.name_, value,
                      origin, broken);
  if (option.absolute_) option.field_->make_absolute();
  option.origin_ = std::move(origin);
  option.source_ = source_;
  option.given_ = true;
}

bool OptionSet::parse(std::span<const std::string> args) {
  std::vector<CommandLineName> known{{"help", true}};
  for (const auto& option : options_) {
    for (std::string& name : spellings(*option)) {
      known.push_back({std::move(name), option->field_->is_flag()});
    }
  }
  for (const RenamedOption& former : renamed_options()) {
    if (!former.command.empty() && former.command != command_) continue;
    if (const Option* option = find(former.old_name)) {
      known.push_back({std::string(former.old_name), option->field_->is_flag()});
    }
  }
  const auto arguments = split_command_line(command_, args, known);
  for (const auto& argument : arguments) {
    if (argument.name == "help") return false;
  }
  for (const auto& argument : arguments) {
    if (argument.known) continue;
    const std::vector<std::string> all = names(true);
    const std::string here = name_here(argument.name, all);
    fail<UsageError>(command_, "unknown option '{}'{}{}",
                     argument.name.starts_with('-') ? argument.name : "--" + argument.name,
                     here.empty() ? suggestion(argument.name, all, "--") : here,
                     stand_in_note(argument.name));
  }
  std::vector<IniFile> files;
  for (const auto& argument : arguments) {
    if (argument.name != "config") continue;
    require<UsageError>(!argument.value.empty(), command_, "--config names no file");
    files.push_back(read_ini_file(option_type::path_of(argument.value)));
  }
  if (first_source_) read_first_source(arguments, files);
  for (const IniFile& file : files) read(file);
  ++source_;
  read_command_line(arguments);
  check();
  return true;
}

// What stands alone is often a value that has lost its option.
std::string OptionSet::unexpected(const std::string& argument, const std::string& flag) const {
  std::string text = fmt::format("unexpected argument '{}'{}", argument, stand_in_note(argument));
  if (!stand_ins(argument).empty()) return text;
  if (!flag.empty()) return text + fmt::format("; --{} is on or off", flag);
  for (const auto& option : options_) {
    if (option->required_ && !option->given_) {
      return text + fmt::format("; --{} is required: {}", option->name_, option->help_);
    }
  }
  for (const auto& option : options_) {
    if (option->positional_ && option->source_ == source_) {
      return text + fmt::format("; {} is '{}' already", option->name_, option->field_->text());
    }
  }
  return text;
}

// What stands alone is the value of the positional options, in order, that are not given by name; a
// list at the end takes what stands alone also where it is: --pictures a.tar b.tar.
void OptionSet::read_command_line(std::span<const CommandLineArgument> arguments) {
  // "--pictures=train-{0..9}.tar" comes from a shell as ten of them. Of other options the last one
  // counts, as with other programs; of a list of input, as files or NAME=FILE, none may be lost.
  const auto refuse_repetition = [&](const std::string& name, const std::string& type,
                                     const std::string& before, const std::string& now) {
    const bool is_input =
        type == "PATH,..." || (type == "TEXT,..." && now.find('=') != std::string::npos);
    require<UsageError>(!is_input, command_,
                        "--{} is given twice, as '{}' and '{}', and the first would be left out: "
                        "one list with commas is meant",
                        name, before, now);
  };
  std::vector<const Option*> named;
  std::map<const Option*, std::string> values;
  for (const auto& argument : arguments) {
    if (argument.name.empty() || argument.name == "config") continue;
    named.push_back(&get(argument.name));
    const auto [before, is_new] = values.try_emplace(named.back(), argument.value);
    if (!is_new && before->second != argument.value) {
      refuse_repetition(named.back()->name_, named.back()->field_->placeholder(), before->second,
                        argument.value);
      before->second = argument.value;
    }
    note_former(*this, command_, argument.name, "command line");
    assign(const_cast<Option&>(*named.back()), argument.value, "command line");
  }
  std::vector<Option*> positional;
  std::string rest;  // elements of a list at the end
  for (const auto& option : options_) {
    const bool is_named = std::ranges::find(named, option.get()) != named.end();
    if (!option->positional_ || (is_named && !option->takes_rest_)) continue;
    positional.push_back(option.get());
    if (is_named) rest = option->field_->text();
  }
  auto next = positional.begin();
  std::string flag;  // the option before, where it takes on or off and may stand alone
  for (const auto& argument : arguments) {
    if (!argument.name.empty()) {
      flag = get(argument.name).field_->is_flag() ? argument.name : "";
      continue;
    }
    require<UsageError>(next != positional.end(), command_, "{}", unexpected(argument.value, flag));
    if ((*next)->takes_rest_) {
      if (!rest.empty()) rest += ',';
      rest += option_type::list_element(argument.value);
    } else {
      assign(**next++, argument.value, "command line");
    }
    flag.clear();
  }
  if (!rest.empty()) assign(**next, rest, "command line");
  end_source();
}

void OptionSet::begin_with(std::string option, SourceOf read) {
  first_option_ = std::move(option);
  first_source_ = std::move(read);
}

void OptionSet::read_first_source(std::span<const CommandLineArgument> arguments,
                                  std::span<const IniFile> files) {
  // The last value that an option has in them.
  const auto value_of = [&](std::string_view name) {
    const Option& option = get(name);
    std::optional<std::string> value;
    for (const IniFile& file : files) {
      for (const IniEntry& entry : file.entries) {
        if (find(entry.key) == &option) value = entry.value;
      }
    }
    for (const CommandLineArgument& argument : arguments) {
      if (!argument.name.empty() && &get(argument.name) == &option) value = argument.value;
    }
    return value;
  };
  const std::string value = value_of(first_option_).value_or("");
  if (value.empty()) return;
  const auto is_given = [&](std::string_view name) { return value_of(name).has_value(); };
  if (const auto first =
          first_source_(option_type::absolute(option_type::path_of(value)), is_given))
    read(*first);
}

void OptionSet::end_source() {
  note_owners();
  follow_others();
}

// In the order of declaration, so that one may follow another that follows a third.
void OptionSet::follow_others() {
  for (const auto& option : options_) {
    if (!option->following_) continue;
    const Option::Following& following = *option->following_;
    option->default_now_ = holds(following.condition) ? following.value : option->default_text_;
    if (!option->given_) option->field_->parse(option->default_now_);
  }
}

void OptionSet::note_owners() {
  for (const auto& option : options_) {
    if (option->owner_.empty() || !option->given_ || option->source_ != source_) continue;
    const Option& owner = get(option->owner_);
    option->owner_value_ = owner.given_ ? owner.field_->text() : "";
  }
}

void OptionSet::read_entry(const IniEntry& entry, const std::string& file) {
  auto* option = const_cast<Option*>(find(entry.key));
  require<UsageError>(option && !option->command_line_only_, command_, "{}:{}: unknown key '{}'{}",
                      file, entry.line, entry.key, suggestion(entry.key, names(false)));
  require<UsageError>(!option->given_ || option->source_ != source_, command_,
                      "{}:{}: '{}' was already set ({})", file, entry.line, option->name_,
                      option->origin_);
  note_former(*this, command_, entry.key, fmt::format("{}:{}", file, entry.line));
  assign(*option, entry.value, fmt::format("{}:{}", file, entry.line));
}

void OptionSet::read(const IniFile& ini) {
  ++source_;
  for (const IniEntry& entry : ini.entries) read_entry(entry, ini.name);
  end_source();
}

void OptionSet::read_known_sections(const IniFile& ini) {
  ++source_;
  for (const IniEntry& entry : ini.entries) {
    const auto same_section = [&](const std::string& name) {
      return section_of(name) == section_of(entry.key);
    };
    const auto known = names(false);
    if (std::any_of(known.begin(), known.end(), same_section)) read_entry(entry, ini.name);
  }
  end_source();
}

bool OptionSet::holds(const Option::Condition& condition) const {
  if (condition.other.empty()) return true;
  const OptionField& other = *get(condition.other).field_;
  if (contains(condition.values, other.text())) return true;
  const std::vector<std::string> words = other.words();
  return std::ranges::any_of(
      words, [&](const std::string& word) { return contains(condition.values, word); });
}

const Option::Condition* OptionSet::unmet_condition(const Option& option) const {
  const auto unmet = std::ranges::find_if_not(
      option.conditions_, [&](const auto& condition) { return holds(condition); });
  return unmet == option.conditions_.end() ? nullptr : &*unmet;
}

// Configurations of earlier versions had the options of all families, most of them not set.
const Option::Condition* OptionSet::useless_for(const Option& option) const {
  const Option::Condition* unmet = option.given_ ? unmet_condition(option) : nullptr;
  const bool says_nothing = unmet != nullptr && !unmet->owner.empty() && option.has_default();
  return says_nothing ? nullptr : unmet;
}

std::string OptionSet::explain(const Option::Condition& condition) const {
  if (!condition.owner.empty()) {
    return fmt::format("belongs to {}, and {} is {}", condition.owner, condition.other,
                       get(condition.other).field_->text());
  }
  const std::string now = get(condition.other).field_->text();
  return fmt::format("is used only when {} is {}, and it is {}", condition.other,
                     joined(condition.values, " or "), now.empty() ? "not given" : now);
}

OptionSet::Overridden OptionSet::overridden(const Option& option) const {
  if (!option.given_) return {};
  if (const Option::Condition* unmet = useless_for(option)) {
    const Option& governing = get(unmet->other);
    if (governing.source_ > option.source_) return {&governing, explain(*unmet)};
  }
  if (option.owner_value_.empty()) return {};
  const Option& owner = get(option.owner_);
  if (owner.source_ <= option.source_ || owner.field_->is(option.owner_value_)) return {};
  return {&owner, fmt::format("belongs to {} {}, and it is {}", owner.name_, option.owner_value_,
                              owner.field_->text())};
}

// One pass over the options; true when something was left out. That counts as a change by the
// source that made it useless, for what it governs in turn.
bool OptionSet::leave_out_what_was_overridden() {
  bool any = false;
  for (const auto& option : options_) {
    const Overridden overridden = this->overridden(*option);
    if (overridden.by == nullptr) continue;
    const std::string value = option->field_->text();
    if (!value.empty()) {
      left_out_.push_back(fmt::format("{} = '{}' ({}) is left out: it {} ({})", option->name_,
                                      value, option->origin_, overridden.why,
                                      overridden.by->origin_));
    }
    option->field_->parse(option->default_now_);
    option->origin_ = "default";
    option->source_ = overridden.by->source_;
    option->given_ = false;
    any = true;
  }
  if (any) follow_others();
  return any;
}

void OptionSet::check() {
  while (leave_out_what_was_overridden()) {
  }
  for (const auto& option : options_) {
    require<UsageError>(!option->required_ || option->given_, command_, "{} is required: {}",
                        option->positional_ ? option->name_ : "--" + option->name_, option->help_);
    const Option::Condition* unmet = useless_for(*option);
    if (unmet == nullptr) continue;
    fail<UsageError>(command_, "{} = '{}' ({}): {} {}", option->name_, option->field_->text(),
                     option->origin_, option->name_, explain(*unmet));
  }
}

void OptionSet::refuse_others(std::initializer_list<std::string_view> owners,
                              std::string_view what) const {
  for (const auto& option : options_) {
    for (const Option::Condition& condition : option->conditions_) {
      const bool is_others =
          condition.other.empty() && std::ranges::find(owners, condition.owner) == owners.end();
      require<UsageError>(!is_others || !option->given_, command_,
                          "{} = '{}' ({}): {} belongs to {}, {}", option->name_,
                          option->field_->text(), option->origin_, option->name_, condition.owner,
                          what);
    }
  }
}

std::vector<OwnedOption> OptionSet::owned() const {
  std::vector<OwnedOption> all;
  for (const auto& option : options_) {
    for (const Option::Condition& condition : option->conditions_) {
      if (condition.owner.empty()) continue;
      all.push_back({option->name_, condition.owner, condition.other, condition.values});
    }
  }
  return all;
}

std::vector<OwnedOption> OptionSet::conditional() const {
  std::vector<OwnedOption> all;
  for (const auto& option : options_) {
    for (const Option::Condition& condition : option->conditions_) {
      if (condition.other.empty()) continue;
      all.push_back({option->name_, condition.owner, condition.other, condition.values});
    }
  }
  return all;
}

void OptionSet::not_required(std::string_view name) {
  const_cast<Option&>(get(name)).required_ = false;
}

bool OptionSet::given(std::string_view name) const { return get(name).given_; }

std::vector<OptionChange> OptionSet::changes_since(const IniFile& earlier) const {
  std::vector<OptionChange> changes;
  for (const auto& option : options_) {
    if (!in_configuration(*option)) continue;
    const auto is_its = [&](const IniEntry& entry) {
      return entry.key == option->name_ || present_name(command_, entry.key) == option->name_;
    };
    const auto entry = std::ranges::find_if(earlier.entries, is_its);
    const std::string& before =
        entry != earlier.entries.end() ? entry->value : option->default_now_;
    const std::string after = option->field_->text();
    if (!option->field_->is(before)) {
      changes.push_back({option->name_, before, after, !option->free_to_change_});
    }
  }
  return changes;
}

std::vector<std::string> OptionSet::section_names() const {
  std::vector<std::string> names;
  for (const auto& option : options_) {
    std::string section = section_of(option->name_);
    if (!section.empty() && !contains(names, section)) names.push_back(std::move(section));
  }
  return names;
}

std::vector<std::string> OptionSet::given_arguments(std::string_view section) const {
  std::vector<std::string> arguments;
  for (const auto& option : options_) {
    if (option->given_ && section_of(option->name_) == section) {
      arguments.push_back(fmt::format("--{}={}", option->name_, option->field_->text()));
    }
  }
  return arguments;
}

const std::string& OptionSet::origin(std::string_view name) const { return get(name).origin_; }

bool OptionSet::in_configuration(const Option& option) const {
  return !option.command_line_only_ && unmet_condition(option) == nullptr;
}

std::string OptionSet::ini_of(bool changes_only) const {
  std::vector<std::string> order;
  std::vector<std::string> bodies;
  const auto body_of = [&](const std::string& section) -> std::string& {
    const auto found = std::find(order.begin(), order.end(), section);
    if (found != order.end()) return bodies[static_cast<std::size_t>(found - order.begin())];
    order.push_back(section);
    return bodies.emplace_back();
  };
  body_of("");  // keys without a section come first
  for (const auto& option : options_) {
    if (!in_configuration(*option)) continue;
    if (changes_only && option->has_default()) continue;
    const std::string section = section_of(option->name_);
    const auto key = option->name_.substr(section.empty() ? 0 : section.size() + 1);
    body_of(section) += fmt::format("{} = {}\n", key, ini_value(option->field_->text()));
  }
  std::string text = bodies[0];
  for (std::size_t i = 1; i < order.size(); ++i) {
    text += fmt::format("{}[{}]\n{}", text.empty() ? "" : "\n", order[i], bodies[i]);
  }
  return text;
}

nlohmann::ordered_json OptionSet::to_json() const {
  auto json = nlohmann::ordered_json::object();
  for (const auto& option : options_) {
    if (!in_configuration(*option)) continue;
    std::string pointer = "/" + option->name_;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    json[nlohmann::ordered_json::json_pointer(pointer)] = option->field_->json();
  }
  return json;
}

}  // namespace edt
