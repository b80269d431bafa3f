// What holds for every option of every command, whoever declares it.
#include <gmock/gmock-matchers.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/options/other_names.h"
#include "launcher/commands/table.h"
#include "launcher/help/command_options.h"
#include "tests/support/message_of.h"

namespace edt {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

std::string refusal_by(OptionSet& options, const std::string& argument) {
  return test::message_of<UsageError>([&] { options.parse(std::vector{argument}); });
}

// A value that the type has; whether other options are missing is not asked here.
std::string some_value(const OptionDescription& option) {
  if (!option.choices.empty()) return option.choices.front();
  return "1";
}

template <class Visit>  // (command, options, description of an option)
void for_each_option(Visit visit) {
  for (const Command& command : command_table()) {
    for (const OptionSection& section : describe(command).sections) {
      for (const OptionDescription& option : section.options) visit(command, option);
    }
  }
}

TEST(AllCommands, DescribeThemselves) {
  for (const Command& command : command_table()) {
    const CommandDescription description = describe(command);
    EXPECT_EQ(description.command, command.name);
    EXPECT_GT(description.summary.size(), 20u) << command.name;
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_THAT(help_text(description), HasSubstr("--help"));
  }
  for_each_option([](const Command& command, const OptionDescription& option) {
    EXPECT_FALSE(option.help.empty()) << command.name << " --" << option.spellings.front();
    EXPECT_FALSE(option.value.empty()) << command.name << " --" << option.spellings.front();
  });
}

TEST(AllCommands, WhatOptionsAreCalledElsewhere) {
  std::set<std::string> spelled;
  for_each_option([&](const Command&, const OptionDescription& option) {
    spelled.insert(option.spellings.begin(), option.spellings.end());
  });
  for (const auto& [other, here] : other_names()) {
    EXPECT_TRUE(spelled.contains(std::string(here))) << here;
  }
  const auto refusal_of = [](std::string_view name, const std::string& argument) {
    std::string line;
    const auto command = std::ranges::find(command_table(), name, &Command::name);
    visit_options(*command, [&](OptionSet& options) { line = refusal_by(options, argument); });
    return line;
  };
  EXPECT_THAT(refusal_of("train", "--global-batch-size=8"),
              HasSubstr("unknown option '--global-batch-size'; here it is --train.batch"));
  EXPECT_THAT(refusal_of("train", "--num_sampling_steps=8"),
              HasSubstr("here it is --run.sample-steps"));
  EXPECT_THAT(refusal_of("sample", "--num-sampling-steps=8"), HasSubstr("here it is --steps"));
  EXPECT_THAT(refusal_of("watch", "--epochs=8"), Not(HasSubstr("here it is")));
  EXPECT_THAT(refusal_of("train", "--gpus=8"), Not(HasSubstr("did you mean")));
}

TEST(AllCommands, TakeEachOptionByEachOfItsNames) {
  for (const Command& command : command_table()) {
    for (const OptionSection& section : describe(command).sections) {
      for (const OptionDescription& option : section.options) {
        for (const std::string& name : option.spellings) {
          if (name == "config") continue;
          visit_options(command, [&](OptionSet& options) {
            const std::string why = refusal_by(options, "--" + name + "=" + some_value(option));
            EXPECT_THAT(why, Not(HasSubstr("unknown option"))) << command.name << " --" << name;
            EXPECT_THAT(options.origin(option.spellings.front()) + why,
                        AnyOf(HasSubstr("command line"), HasSubstr("expected")))
                << command.name << " --" << name;
          });
        }
      }
    }
  }
}

TEST(AllCommands, KnowEachNameOnce) {
  for (const Command& command : command_table()) {
    std::set<std::string> seen;
    for (const OptionSection& section : describe(command).sections) {
      for (const OptionDescription& option : section.options) {
        for (const std::string& name : option.spellings) {
          EXPECT_TRUE(seen.insert(name).second) << command.name << " --" << name;
        }
      }
    }
  }
}

// The section may be left out of every name: none is ambiguous in its command. But for names that
// an earlier option has kept to itself.
TEST(AllCommands, TakeEachOptionWithoutItsSection) {
  const std::set<std::string> later{"process.kind", "process.path", "dynamic.target"};
  for_each_option([&](const Command& command, const OptionDescription& option) {
    const std::string& name = option.spellings.front();
    if (later.contains(name)) return;
    EXPECT_THAT(option.spellings, testing::Contains(name.substr(name.find('.') + 1)))
        << command.name;
  });
}

TEST(AllCommands, TakeNoAbbreviations) {
  for (const Command& command : command_table()) {
    const CommandDescription description = describe(command);
    std::set<std::string> known{"help", "hel"};
    for (const OptionSection& section : description.sections) {
      for (const OptionDescription& option : section.options) {
        known.insert(option.spellings.begin(), option.spellings.end());
      }
    }
    visit_options(command, [&](OptionSet& options) {
      for (const std::string& name : known) {
        const std::string shorter = name.substr(0, name.size() - 1);
        if (known.contains(shorter)) continue;
        EXPECT_THAT(refusal_by(options, "--" + shorter + "=1"), HasSubstr("unknown option '--"))
            << command.name << " --" << shorter;
      }
    });
  }
}

// What edt train has a name for is known by that name everywhere; these are something else.
TEST(AllCommands, ShareTheNamesOfTraining) {
  const std::set<std::string> others{
      "bench step --steps",           // of a round
      "bench scale --steps",          // of a round
      "bench speedup --steps",        // of a turn
      "tune --steps",                 // whose products are covered
      "sample --steps",               // of the sampler
      "bench sampling --steps",       // of the sampler
      "sample --seed",                // of the noise
      "evaluate --seed",              // of the noise
      "evaluate --steps",             // of the sampler
      "evaluate --shift",             // of the sampler
      "evaluate --batch",             // pictures made together
      "evaluate --cache",             // of branches
      "sample --batch",               // pictures made together
      "memory --steps",               // of the sampler
      "memory --seed",                // of draws and pictures
      "memory --batch",               // rows seen together
      "sample --classes",             // to draw
      "sample --shift",               // of the sampler
      "sample --cache",               // of branches
      "bench samplers --steps",       // of the sampler
      "bench samplers --seed",        // of the noise
      "bench samplers --batch",       // pictures made together
      "bench models --batch",         // samples made together
      "bench models --seed",          // of the noise
      "bench models --cache",         // of branches
      "bench ffn-reuse --steps",      // of the sampler
      "bench ffn-reuse --seed",       // of the noise
      "bench ffn-reuse --batch",      // pictures made together
      "bench ops --batch",            // of an op
      "bench data --batch",           // samples read at once
      "bench data --seed",            // of the order
      "data synth --seed",            // of the pictures
      "data synth --classes",         // to draw
      "data synth --image-size",      // to draw
      "data synth --channels",        // to make
      "data synth --vae-factor",      // to make
      "data encode --classes",        // of the set
      "bench vae --model",            // an autoencoder
      "bench vae --image-size",       // of the pictures
      "bench evaluate --image-size",  // of the pictures
      "vae encode --image-size",      // of the pictures
      "vae check --image-size",       // of the pictures
      "data encode --image-size",     // of the set
      "data encode --batch",          // pictures encoded together
      "data encode --seed",           // of one draw for ever
      "data encode --dtype",          // stored
      "data import --classes",        // of the set
      "data import --image-size",     // of the set
      "data import --dtype",          // stored
      "data import --vae-factor",     // of the set
      "data adopt --classes",         // of the set
      "data import --text-encoder",   // of the set
      "data repack --text-encoder",   // of the set
      "data adopt --vae-factor",      // of the set
      "data adopt --image-size",      // of the set
      "bench comm --dtype",           // of the buffers
      "sample --weights",             // of a checkpoint
      "evaluate --weights",           // of a checkpoint
      "memory --weights",             // of a checkpoint
      "ckpt export --weights",        // of a checkpoint
      "bench samplers --weights",     // of a checkpoint
      "bench ffn-reuse --weights",    // of a checkpoint
  };
  std::map<std::string, std::string> names_in_training;  // by the name without the section
  for_each_option([&](const Command& command, const OptionDescription& option) {
    if (command.name != "train") return;
    for (const std::string& name : option.spellings) {
      names_in_training[name] = option.spellings.front();
    }
  });
  for_each_option([&](const Command& command, const OptionDescription& option) {
    const std::string& name = option.spellings.front();
    const auto found = names_in_training.find(name);
    if (found == names_in_training.end()) return;
    if (others.contains(fmt::format("{} --{}", command.name, name))) return;
    EXPECT_THAT(option.spellings, testing::Contains(found->second)) << command.name;
  });
}

TEST(AllCommands, WriteWhatStandsAloneInCapitals) {
  int positional = 0;
  for_each_option([&](const Command& command, const OptionDescription& option) {
    if (option.positional.empty()) return;
    ++positional;
    EXPECT_TRUE(
        std::ranges::none_of(option.positional, [](unsigned char c) { return std::islower(c); }))
        << command.name << option.positional;
  });
  EXPECT_GT(positional, 10);
}

}  // namespace
}  // namespace edt
