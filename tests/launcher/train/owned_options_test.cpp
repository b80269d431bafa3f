// Options that belong to a family or a setting: every one of them, with every preset of another
// family, is refused in a line that names both. The pairs are those of the declarations.
#include <fmt/ranges.h>
#include <gmock/gmock-more-matchers.h>

#include "launcher/recipe/train_config.h"
#include "model/families/presets.h"
#include "model/sampling/cache_options.h"
#include "tests/support/message_of.h"

namespace edt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Train {
  TrainConfig config;
  OptionSet options{"train", "Trains."};

  Train() { config.declare(options); }
  void parse(std::vector<std::string> args) {
    args.insert(args.end(), {"--data.path=/nowhere", "--run.dir=/nowhere"});
    options.parse(args);
  }
};

// A value that is not the default.
std::string value_for(const OptionSet& options, const std::string& name) {
  for (const OptionSection& section : options.description().sections) {
    for (const OptionDescription& option : section.options) {
      if (option.spellings.front() != name) continue;
      if (option.is_flag || option.value == "on|off") return "on";
      const auto last = option.value.rfind('|');
      if (last != std::string::npos) return option.value.substr(last + 1);
      if (option.value == "INT") return "3";
      if (!option.value.ends_with(",...")) return "0.25";
      return option.value == "INT,..." ? "1,2" : "0.1,0.2";
    }
  }
  return "?";
}

std::vector<OwnedOption> owned_by_families() {
  std::vector<OwnedOption> all = Train().options.owned();
  std::erase_if(all, [](const OwnedOption& one) { return one.other != "model.preset"; });
  return all;
}

// What has to be said for an option to have an effect: its own switches but `except`, and theirs.
void add_switches(const std::vector<OwnedOption>& all, const std::string& name,
                  std::vector<std::string>& args, const std::string& except = "") {
  for (const OwnedOption& one : all) {
    if (one.name != name || one.other == except) continue;
    add_switches(all, one.other, args);
    const std::string said = "--" + one.other + "=" + one.values.front();
    if (std::ranges::find(args, said) == args.end()) args.push_back(said);
  }
}

TEST(OwnedOptions, EachIsRefusedWithEveryModelOfAnotherFamily) {
  int pairs = 0;
  for (const OwnedOption& owned : owned_by_families()) {
    const std::string value = value_for(Train().options, owned.name);
    for (const std::string& preset : preset_names()) {
      if (std::ranges::find(owned.values, preset) != owned.values.end()) continue;
      ++pairs;
      const std::string message = message_of<UsageError>([&] {
        Train().parse({"--" + owned.name + "=" + value, "--model.preset=" + preset});
      });
      EXPECT_THAT(message, AllOf(HasSubstr(owned.name + " belongs to " + owned.owner),
                                 HasSubstr("model.preset is " + preset)));
    }
  }
  EXPECT_GE(pairs, 5 * 6 + 7 + 6) << "of EDT in [model], of MDTv2, and in [train]";
}

TEST(OwnedOptions, EachIsTakenByTheModelsOfItsFamily) {
  for (const OwnedOption& owned : owned_by_families()) {
    const std::string value = value_for(Train().options, owned.name);
    for (const std::string& preset : owned.values) {
      std::vector<std::string> args{"--" + owned.name + "=" + value, "--model.preset=" + preset};
      add_switches(Train().options.conditional(), owned.name, args, "model.preset");
      EXPECT_NO_THROW(Train().parse(args)) << owned.name << " " << preset;
    }
  }
}

// A value that an option takes, the default or another.
std::string any_value(const OptionSet& options, const std::string& name) {
  for (const OptionSection& section : options.description().sections) {
    for (const OptionDescription& option : section.options) {
      if (option.spellings.front() != name) continue;
      if (!option.choices.empty()) return option.choices.back();
      if (option.value.starts_with("NUMBER")) return option.value == "NUMBER" ? "0.5" : "0.25,0.5";
      if (option.value.starts_with("INT")) return option.value == "INT" ? "3" : "1,2";
      return "2..4";  // of steps, the only text
    }
  }
  return "?";
}

std::vector<std::string> choices_of(const OptionSet& options, const std::string& name) {
  for (const OptionSection& section : options.description().sections) {
    for (const OptionDescription& option : section.options) {
      if (option.spellings.front() == name) return option.choices;
    }
  }
  return {};
}

// The caches of a sampler.
struct Caches {
  CacheOptions caches;
  OptionSet options{"sample", "Samples."};

  Caches() { caches.declare(options); }
  void parse(const std::vector<std::string>& args) { options.parse(args); }
};

// Each pair of an option and a switch that makes it useless, as they are declared. Those of
// families are above.
template <class Set>
int expect_refusals() {
  int pairs = 0;
  const auto all = Set().options.conditional();
  for (const OwnedOption& one : all) {
    if (!one.owner.empty()) continue;
    for (const std::string& choice : choices_of(Set().options, one.other)) {
      if (std::ranges::find(one.values, choice) != one.values.end()) continue;
      ++pairs;
      std::vector<std::string> args{"--" + one.name + "=" + any_value(Set().options, one.name),
                                    "--" + one.other + "=" + choice};
      // What belongs to a family may need more than that.
      const bool is_of_family = std::ranges::any_of(all, [&](const OwnedOption& owned) {
        return owned.name == one.name && !owned.owner.empty();
      });
      if (is_of_family) add_switches(all, one.name, args, one.other);
      add_switches(all, one.other, args);
      const std::string message = message_of<UsageError>([&] { Set().parse(args); });
      EXPECT_THAT(message, AllOf(HasSubstr(one.name), HasSubstr("is " + choice)))
          << fmt::format("{}", fmt::join(args, " "));
    }
  }
  return pairs;
}

TEST(ConditionalOptions, EachIsRefusedWithEveryOtherValueOfItsSwitch) {
  EXPECT_GE(expect_refusals<Train>(), 20);
  EXPECT_GE(expect_refusals<Caches>(), 8);
}

template <class Set>
void expect_taken() {
  const auto all = Set().options.conditional();
  for (const OwnedOption& one : all) {
    std::vector<std::string> args{"--" + one.name + "=" + any_value(Set().options, one.name)};
    add_switches(all, one.name, args);
    Set set;
    EXPECT_NO_THROW(set.parse(args)) << fmt::format("{}", fmt::join(args, " "));
    EXPECT_EQ(set.options.origin(one.name), "command line");
  }
}

TEST(ConditionalOptions, EachIsTakenWhereItsSwitchesAreRight) {
  expect_taken<Train>();
  expect_taken<Caches>();
}

// A process that belongs to a preset, and what follows it.
TEST(FollowingOptions, TakeTheDefaultOfWhatTheyFollow) {
  const auto parsed = [](std::vector<std::string> args) {
    Train train;
    train.parse(std::move(args));
    return train.config.model.process.config;
  };
  EXPECT_EQ(parsed({}), ProcessConfig{});
  EXPECT_EQ(parsed({"--process.kind=flow"}), ProcessConfig::flow());
  EXPECT_EQ(parsed({"--model=SiT-S/2"}), ProcessConfig::flow());
  EXPECT_EQ(parsed({"--model=SiT-S/2", "--process.kind=ddpm"}), ProcessConfig{});
  EXPECT_EQ(parsed({"--model=SiT-S/2", "--process.prediction=x0"}).prediction,
            PredictionType::kOrigin);
  // Written out, they are read back whatever they follow later.
  Train train;
  train.parse({"--model=SiT-S/2"});
  EXPECT_THAT(train.options.to_ini(),
              AllOf(HasSubstr("kind = flow"), HasSubstr("prediction = velocity")));
  EXPECT_THAT(train.options.changes(), testing::Not(HasSubstr("flow")));
  Train later;
  later.options.read(parse_ini(train.options.to_ini(), "config.ini"));
  EXPECT_EQ(later.config.model.process.config, ProcessConfig::flow());
}

// A run of noise that is to go on as a flow: what belongs to noise is left out.
TEST(FollowingOptions, ALaterProcessLeavesOutWhatBelongsToTheOther) {
  Train train;
  train.options.read(
      parse_ini("[process]\nkind = ddpm\nvariance = none\n[train]\nsnr-gamma = 1\n", "first.ini"));
  train.parse({"--process.kind=flow"});
  EXPECT_THAT(train.options.left_out(),
              testing::ElementsAre(HasSubstr("process.variance"), HasSubstr("train.snr-gamma")));
  EXPECT_EQ(train.config.model.process.config.prediction, PredictionType::kVelocity);
}

// Runs of version 0.2 have the options of all families in their configuration, most of them none.
TEST(OwnedOptions, ThatSayNothingAreTakenFromEarlierConfigurations) {
  Train train;
  const auto earlier = parse_ini(
      "[model]\npreset = DiT-S/2\nmid-mask = none\nmask-ratio = none\namm-blocks = none\n"
      "[data]\npath = /x\n[train]\nmasked = off\n[run]\ndir = /y\n",
      "config.ini");
  train.options.read(earlier);
  EXPECT_NO_THROW(train.options.check());
  EXPECT_THAT(train.options.left_out(), testing::IsEmpty());
  EXPECT_THAT(train.options.to_ini(), testing::Not(HasSubstr("mid-mask")));
  EXPECT_THAT(train.options.changes_since(earlier), testing::IsEmpty());
}

TEST(OwnedOptions, ThatALaterModelMakesUselessAreLeftOut) {
  Train train;
  train.options.read(parse_ini("[model]\npreset = EDT-S/2\nmid-mask = on\n", "first.ini"));
  train.parse({"--model.preset=DiT-S/2", "--train.masked=off"});
  EXPECT_THAT(train.options.left_out(),
              testing::ElementsAre(HasSubstr("model.mid-mask = 'on' (first.ini:3) is left out: it "
                                             "belongs to EDT, and model.preset is DiT-S/2")));
  EXPECT_NO_THROW(train.config.model.resolve(10));
}

}  // namespace
}  // namespace edt::test
