// Which options have an effect: conditions, owners, and what a later source has overridden.
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/options/option_names.h"
#include "core/options/options.h"

namespace edt {

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
                     fmt::join(condition.values, " or "), now.empty() ? "not given" : now);
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

bool OptionSet::in_configuration(const Option& option) const {
  return !option.command_line_only_ && unmet_condition(option) == nullptr;
}

}  // namespace edt
