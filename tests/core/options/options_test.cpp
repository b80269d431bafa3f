#include "core/options/options.h"

#include <gmock/gmock-matchers.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "core/options/renamed.h"
#include "tests/support/fuzz_rounds.h"
#include "tests/support/message_of.h"
#include "tests/support/places.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

enum class Sampler { kUniform, kSecondMoment };

struct Config {
  std::int64_t steps = 400'000;
  std::uint64_t seed = 1;
  double rate = 1e-3;
  float decay = 0.9999f;
  bool masked = true;
  Sampler sampler = Sampler::kUniform;
  std::string optimizer = "adan";
  double third_beta = 0.99;
  std::vector<int> classes{1, 7};
  std::vector<std::string> tags;
  std::optional<double> clip;
  std::filesystem::path data;
  bool json = false;
};

struct Declared {
  Config config;
  OptionSet options{"train", "Trains."};

  Declared() {
    options.section("train", "Training");
    options.add("json", &config.json, "for scripts").command_line_only();
    options.add("train.steps", &config.steps, "optimizer steps").alias("steps").at_least(1);
    options.add("train.seed", &config.seed, "random seed");
    options.add("train.sampler", &config.sampler,
                {{"uniform", Sampler::kUniform}, {"second-moment", Sampler::kSecondMoment}},
                "time steps");
    options.add("train.masked", &config.masked, "masked pass");
    options.add("train.clip", &config.clip, "gradient norm")
        .above(0)
        .default_is("that of the recipe");
    options.add("optim.rate", &config.rate, "learning rate").range(0, 1);
    options.add("optim.ema-decay", &config.decay, "average").unit("per step");
    options.add("optim.name", &config.optimizer, "optimizer").choices({"adan", "adamw"});
    options.add("optim.third-beta", &config.third_beta, "of Adan")
        .used_when("optim.name", {"adan"});
    options.add("sample.classes", &config.classes, "classes").alias("classes").range(0, 999);
    options.add("sample.tags", &config.tags, "labels");
    options.add("data", &config.data, "data set").positional();
  }

  void parse(const std::vector<std::string>& args) { ASSERT_TRUE(options.parse(args)); }
};

std::string refusal(const std::vector<std::string>& args) {
  Declared declared;
  return test::message_of<UsageError>([&] { declared.options.parse(args); });
}

std::string refusal_of_ini(const std::string& text) {
  Declared declared;
  return test::message_of<UsageError>([&] { declared.options.read(parse_ini(text, "a.ini")); });
}

TEST(Options, DefaultsAreTheFields) {
  Declared d;
  d.parse({});
  EXPECT_EQ(d.config.steps, 400'000);
  EXPECT_FALSE(d.options.given("train.steps"));
  EXPECT_EQ(d.options.origin("train.steps"), "default");
}

TEST(Options, ReadsEveryTypeFromTheCommandLine) {
  Declared d;
  d.parse({"--train.steps=12", "--train.seed", "18446744073709551615", "--train.sampler",
           "second-moment", "--train.masked", "off", "--optim.rate=2.5e-4", "--classes", "3,1, 4",
           "--sample.tags=a\\,b,c", "--train.clip=1.5", "--json", "some/where", "--optim.ema_decay",
           "0.5"});
  EXPECT_EQ(d.config.steps, 12);
  EXPECT_EQ(d.config.seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(d.config.sampler, Sampler::kSecondMoment);
  EXPECT_FALSE(d.config.masked);
  EXPECT_EQ(d.config.rate, 2.5e-4);
  EXPECT_EQ(d.config.decay, 0.5f);
  EXPECT_THAT(d.config.classes, ElementsAre(3, 1, 4));
  EXPECT_THAT(d.config.tags, ElementsAre("a,b", "c"));
  EXPECT_EQ(d.config.clip, 1.5);
  EXPECT_TRUE(d.config.json) << "a flag leaves the next argument alone";
  EXPECT_EQ(d.config.data, "some/where");
  EXPECT_EQ(d.options.origin("train.steps"), "command line");
}

// What is computed with as float must be what was asked for there too.
TEST(Options, SinglePrecision) {
  const auto problem = [](const std::string& value) {
    double rate = 0.5, decay = 0.5;
    OptionSet options("train", "Trains.");
    options.add("rate", &rate, "learning rate").above(0).single_precision();
    options.add("decay", &decay, "average").at_least(0).below(1).single_precision();
    return test::message_of<UsageError>([&] { options.parse(std::vector{value}); });
  };
  for (const char* fine : {"--rate=1e-30", "--rate=3e38", "--decay=0", "--decay=0.9999999"}) {
    EXPECT_EQ(problem(fine), "");
  }
  EXPECT_EQ(problem("--rate=1e-50"),
            "[train] rate = '1e-50' (command line): expected a finite number, above 0, in single "
            "precision (0, or 1.2e-38 to 3.4e38 in size)");
  for (const char* wrong : {"--rate=1e-40", "--rate=4e38", "--rate=0", "--decay=1e-46", "--decay=1",
                            "--decay=0.99999999"}) {
    EXPECT_THAT(problem(wrong), HasSubstr("in single precision")) << wrong;
  }
}

TEST(Options, NegativeNumbersAreValues) {
  EXPECT_THAT(refusal({"--train.steps", "-5"}),
              HasSubstr("'-5' (command line): expected an integer, at least 1"));
}

// "--out $UNSET --quiet" wrote into a directory called "--quiet=on".
TEST(Options, AnOptionThatLostItsValueTakesNoOther) {
  EXPECT_THAT(
      refusal({"--data", "--train.steps", "5"}),
      HasSubstr("--data has no value: --train.steps follows it; --data=--train.steps where"));
  EXPECT_THAT(refusal({"--data", "-h"}), HasSubstr("--data has no value: -h follows it"));
  Declared d;
  d.parse({"--data=--quiet"});
  EXPECT_EQ(d.config.data, "--quiet");
}

TEST(Options, EverythingAfterTwoDashesIsAnArgument) {
  Declared d;
  d.parse({"--", "--steps"});
  EXPECT_EQ(d.config.data, "--steps");
}

TEST(Options, CommandLineWinsOverFilesAndLaterFilesOverEarlier) {
  test::TempDir directory;
  test::write_text(directory / "a.ini", "[train]\nsteps = 1\nseed = 11\n[optim]\nrate = 0.25\n");
  test::write_text(directory / "b.ini", "train.seed = 22\noptim.rate = 0.5\n");
  Declared d;
  d.parse({"--optim.rate=0.75", "--config", directory / "a.ini",
           "--config=" + (directory / "b.ini").string()});
  EXPECT_EQ(d.config.steps, 1);
  EXPECT_EQ(d.config.seed, 22u);
  EXPECT_EQ(d.config.rate, 0.75);
  EXPECT_THAT(d.options.origin("train.seed"), HasSubstr("b.ini:1"));
}

TEST(Options, UnknownNamesSuggestTheNearest) {
  EXPECT_EQ(refusal({"--train.setps=3"}),
            "[train] unknown option '--train.setps'; did you mean '--train.steps'?");
  EXPECT_THAT(refusal({"--clases", "3"}), HasSubstr("did you mean '--classes'?"));
  EXPECT_THAT(refusal({"--data.sampler=uniform"}), HasSubstr("'--train.sampler'"));
  EXPECT_THAT(refusal({"--train.step=3"}), HasSubstr("unknown option")) << "no abbreviations";
  EXPECT_EQ(refusal_of_ini("[train]\n\nstepz = 3\n"),
            "[train] a.ini:3: unknown key 'train.stepz'; did you mean 'train.steps'?");
  EXPECT_THAT(refusal_of_ini("json = on\n"), HasSubstr("unknown key 'json'"));
  EXPECT_THAT(refusal_of_ini("config = b.ini\n"), HasSubstr("unknown key 'config'"));
}

TEST(Options, TheSectionMayBeLeftOutWhereOneOptionIsMeant) {
  Declared d;
  d.parse({"--rate=0.5", "--clip", "2", "--masked", "off"});
  EXPECT_EQ(d.config.rate, 0.5);
  EXPECT_EQ(d.config.clip, 2);
  EXPECT_FALSE(d.config.masked);
  d.options.add("other.rate", &d.config.third_beta, "another").alias("beta");
  EXPECT_THAT(test::message_of<UsageError>([&] { d.parse({"--rate=0.25"}); }),
              HasSubstr("unknown option '--rate'"));
  d.parse({"--beta=0.25"});
  EXPECT_EQ(d.config.third_beta, 0.25);
  d.options.read(parse_ini("masked = on\n", "a.ini"));
  EXPECT_TRUE(d.config.masked);
  EXPECT_EQ(refusal_of_ini("steps = 3\n[train]\nsteps = 4\n"),
            "[train] a.ini:3: 'train.steps' was already set (a.ini:1)");
}

TEST(Options, ArgumentsOfTheirOwnAreWhatIsNotGivenByName) {
  std::string from, to;
  const auto parse = [&](const std::vector<std::string>& args) {
    OptionSet options("copy", "Copies.");
    from = to = "";
    options.add("from", &from, "source").positional().required();
    options.add("to", &to, "target").positional().required();
    const std::string refused = test::message_of<UsageError>([&] { options.parse(args); });
    return refused.empty() ? from + " " + to : refused;
  };
  EXPECT_EQ(parse({"a", "b"}), "a b");
  EXPECT_EQ(parse({"--from=a", "b"}), "a b");
  EXPECT_EQ(parse({"b", "--from", "a"}), "a b");
  EXPECT_EQ(parse({"a", "--to=b"}), "a b");
  EXPECT_EQ(parse({"--from=x", "--from=a", "b"}), "a b") << "by name the later one counts";
  EXPECT_EQ(parse({"a", "b", "c"}), "[copy] unexpected argument 'c'; from is 'a' already");
  EXPECT_EQ(parse({"--from=a", "--to=b", "c"}),
            "[copy] unexpected argument 'c'; from is 'a' already");
}

TEST(Options, ChangesAreWhatDiffersFromTheDefaults) {
  Declared d;
  d.parse({"--train.seed=1", "--optim.rate=0.5", "--classes=1,7"});
  EXPECT_EQ(d.options.changes(), "[optim]\nrate = 0.5\n");
}

TEST(Options, AnAbbreviationIsAnsweredWithTheWholeName) {
  EXPECT_THAT(refusal({"--sam=x"}), HasSubstr("did you mean '--sampl"));
  EXPECT_THAT(refusal({"--train.se=1"}), HasSubstr("did you mean '--train.seed'?"));
}

TEST(Options, MalformedValuesNameOptionValueAndWhatIsAllowed) {
  EXPECT_EQ(refusal({"--train.steps=1e3"}),
            "[train] train.steps = '1e3' (command line): expected an integer, at least 1");
  EXPECT_EQ(refusal({"--optim.rate=1.5"}),
            "[train] optim.rate = '1.5' (command line): expected a finite number, from 0 to 1");
  EXPECT_THAT(refusal({"--optim.rate=nan"}), HasSubstr("a finite number"));
  EXPECT_THAT(refusal({"--train.seed=-1"}), HasSubstr("train.seed = '-1'"));
  EXPECT_THAT(refusal({"--train.seed=18446744073709551616"}), HasSubstr("an integer"));
  EXPECT_EQ(refusal({"--optim.name=adam"}),
            "[train] optim.name = 'adam' (command line): expected one of adan, adamw; did you mean "
            "'adan'?");
  EXPECT_THAT(refusal({"--train.sampler=x"}), HasSubstr("one of uniform, second-moment"));
  EXPECT_THAT(refusal({"--train.masked=maybe"}), HasSubstr("on or off"));
  EXPECT_THAT(refusal({"--classes=1,,2"}), HasSubstr("a comma-separated list, each an integer"));
  EXPECT_THAT(refusal({"--classes=1,1000"}), HasSubstr("from 0 to 999"));
  EXPECT_THAT(refusal({"--train.clip=0"}), HasSubstr("a finite number or 'none', above 0"));
  EXPECT_THAT(refusal({"--train.steps"}), HasSubstr("--train.steps"));
  EXPECT_THAT(refusal_of_ini("[train]\nsteps = 0\n"), HasSubstr("train.steps = '0' (a.ini:2)"));
}

TEST(Options, RefusesWhatWouldHaveNoEffect) {
  EXPECT_EQ(refusal({"--optim.name=adamw", "--optim.third-beta=0.9"}),
            "[train] optim.third-beta = '0.9' (command line): optim.third-beta is used only when "
            "optim.name is adan, and it is adamw");
  EXPECT_EQ(refusal({"--optim.third-beta=0.9"}), "");
}

// A file is a beginning: what a later source makes useless is left out, and said so.
TEST(Options, WhatALaterSourceMakesUselessIsLeftOut) {
  test::TempDir directory;
  const std::string adan = directory / "adan.ini", adamw = directory / "adamw.ini",
                    both = directory / "both.ini";
  test::write_text(adan, "[optim]\nthird-beta = 0.5\n");
  test::write_text(adamw, "[optim]\nname = adamw\n");
  test::write_text(both, "[optim]\nname = adamw\nthird-beta = 0.5\n");
  const auto left_out = [](const std::vector<std::string>& args) {
    Declared d;
    d.parse(args);
    EXPECT_EQ(d.config.third_beta, d.options.left_out().empty() ? 0.5 : 0.99);
    EXPECT_FALSE(d.options.given("optim.third-beta") && !d.options.left_out().empty());
    return fmt::format("{}", fmt::join(d.options.left_out(), "\n"));
  };
  EXPECT_EQ(left_out({"--config", adan}), "");
  EXPECT_EQ(left_out({"--config", adan, "--optim.name=adamw"}),
            "optim.third-beta = '0.5' (" + adan +
                ":2) is left out: it is used only when optim.name is adan, and it is adamw "
                "(command line)");
  EXPECT_THAT(left_out({"--config", adan, "--config", adamw}), HasSubstr("(" + adamw + ":2)"));
  EXPECT_THAT(left_out({"--config", both, "--config", adamw}), HasSubstr("(" + both + ":3)"));
  EXPECT_EQ(left_out({"--config", both, "--optim.name=adan"}), "") << "it is used after all";

  EXPECT_THAT(refusal({"--config", both}), HasSubstr("both.ini:3")) << "one source";
  EXPECT_THAT(refusal({"--config", adamw, "--config", adan}), HasSubstr("adan.ini:2"))
      << "asked for where it was useless already";
  EXPECT_THAT(refusal({"--config", adamw, "--optim.third-beta=0.5"}), HasSubstr("command line"));
}

// An option that is left out may have governed another.
TEST(Options, WhatIsLeftOutGovernsNoMore) {
  std::string optimizer = "adan", decay = "none";
  double rate = 1;
  OptionSet options("train", "Trains.");
  options.add("rate", &rate, "of the decay").used_when("decay", {"cosine"});
  options.add("decay", &decay, "of a beta").used_when("optimizer", {"adan"});
  options.add("optimizer", &optimizer, "update rule");
  test::TempDir directory;
  test::write_text(directory / "a.ini", "decay = cosine\nrate = 2\n");
  ASSERT_TRUE(options.parse(
      std::vector<std::string>{"--config", directory / "a.ini", "--optimizer=adamw"}));
  EXPECT_EQ(options.left_out().size(), 2u);
  EXPECT_EQ(decay, "none");
  EXPECT_EQ(rate, 1);
}

TEST(Options, RequiredMustBeGivenAndRulesHold) {
  std::string name;
  int size = 0;
  const auto parse = [&](const std::vector<std::string>& args) {
    OptionSet options("info", "Says.");
    options.add("name", &name, "what to look at").positional().required();
    options.add("size", &size, "edge").check([&] { return size % 2 ? "an even number" : ""; });
    return test::message_of<UsageError>([&] { options.parse(args); });
  };
  EXPECT_EQ(parse({}), "[info] name is required: what to look at");
  EXPECT_EQ(parse({""}), "[info] name = '' (command line): expected a text that is not empty");
  EXPECT_EQ(parse({"x", "--config", ""}), "[info] --config names no file");
  EXPECT_EQ(parse({"x", "--size=3"}), "[info] size = '3' (command line): expected an even number");
  EXPECT_EQ(parse({"x", "--size=4"}), "");
  EXPECT_EQ(parse({"x", "y"}), "[info] unexpected argument 'y'; name is 'x' already");
  OptionSet named("study", "Studies.");
  named.add("out", &name, "directory of the study").required();
  EXPECT_EQ(test::message_of<UsageError>([&] { named.parse(std::vector<std::string>{"study"}); }),
            "[study] unexpected argument 'study'; --out is required: directory of the study");
  EXPECT_EQ(refusal({"data", "--train.masked", "maybe"}),
            "[train] unexpected argument 'maybe'; --train.masked is on or off");
}

TEST(Options, TheConfigurationReadsBackExactly) {
  Declared a;
  a.config.tags = {"plain", " blanks ",   "comma,",   "back\\slash",
                   "a # b", "\"quoted\"", "new\nline"};
  a.config.rate = 0.1 + 0.2;
  a.config.decay = 1.0f / 3;
  a.config.data = "a;b #c";
  a.config.classes = {};
  a.config.clip = 1e-300;
  a.config.masked = false;
  a.config.sampler = Sampler::kSecondMoment;
  Declared b;
  b.options.read(parse_ini(a.options.to_ini(), "dump"));
  EXPECT_EQ(b.options.to_ini(), a.options.to_ini());
  EXPECT_EQ(b.options.to_json(), a.options.to_json());
  EXPECT_EQ(b.config.tags, a.config.tags);
  EXPECT_EQ(b.config.rate, a.config.rate);
  EXPECT_EQ(b.config.decay, a.config.decay);
  EXPECT_EQ(b.config.clip, a.config.clip);
}

TEST(Options, TheConfigurationLeavesOutWhatIsNotUsed) {
  Declared d;
  d.parse({"--optim.name=adamw"});
  EXPECT_THAT(d.options.to_ini(), testing::Not(HasSubstr("third-beta")));
  EXPECT_THAT(d.options.to_ini(), testing::Not(HasSubstr("json")));
  Declared again;
  again.options.read(parse_ini(d.options.to_ini(), "dump"));
  again.options.check();
}

TEST(Options, JsonKeepsTypesAndSections) {
  Declared d;
  d.parse({"--classes=5"});
  const auto json = d.options.to_json();
  EXPECT_EQ(json["train"]["steps"], 400'000);
  EXPECT_EQ(json["train"]["masked"], true);
  EXPECT_TRUE(json["train"]["clip"].is_null());
  EXPECT_EQ(json["sample"]["classes"], nlohmann::ordered_json({5}));
}

TEST(Options, KnownSectionsOnly) {
  Declared d;
  d.options.read_known_sections(parse_ini("[model]\ndepth = 3\n[train]\nsteps = 5\n", "c"));
  EXPECT_EQ(d.config.steps, 5);
  EXPECT_THROW(d.options.read_known_sections(parse_ini("[train]\nstep = 5\n", "c")), UsageError);
}

TEST(Options, HelpShowsSectionsUnitsBoundsAndDefaults) {
  Declared d;
  EXPECT_FALSE(d.options.parse(std::vector<std::string>{"--nonsense", "--help"}));
  const std::string help = d.options.help();
  EXPECT_THAT(help, HasSubstr("Usage: edt train [options] [DATA]"));
  EXPECT_THAT(help, HasSubstr("Training [train]:"));
  EXPECT_THAT(help, HasSubstr("--train.steps, --steps INT"));
  EXPECT_THAT(help, HasSubstr("(at least 1; default 400000)"));
  EXPECT_THAT(help, HasSubstr("gradient norm (above 0; default that of the recipe)"));
  EXPECT_THAT(help, HasSubstr("in per step"));
  EXPECT_THAT(help, HasSubstr("--optim.name, --name adan|adamw"));
}

// Every former name works, on the command line and in files, and is written back under the new one.
TEST(Options, FormerNamesGoOnWorking) {
  for (const RenamedOption& former : renamed_options()) {
    const std::string old_name(former.old_name), name(former.name);
    const auto dot = old_name.rfind('.');
    const std::string ini =
        dot == std::string::npos
            ? old_name + " = x\n"
            : fmt::format("[{}]\n{} = x\n", old_name.substr(0, dot), old_name.substr(dot + 1));
    for (const bool from_file : {false, true}) {
      std::string value;
      OptionSet options(std::string(former.command), "");
      options.add(name, &value, "");
      if (from_file) options.read(parse_ini(ini, "a.ini"));
      if (!from_file) options.parse(std::vector<std::string>{"--" + old_name, "x"});
      EXPECT_EQ(value, "x") << old_name;
      EXPECT_THAT(options.left_out(), ElementsAre(HasSubstr("is now called " + name)));
      EXPECT_EQ(options.to_ini().find(old_name), std::string::npos);
      EXPECT_TRUE(options.given(name));
    }
  }
  EXPECT_FALSE(renamed_options().empty());
}

TEST(Options, BothNamesOfOneInAFileAreRefused) {
  const RenamedOption& former = renamed_options().front();
  std::string value;
  OptionSet options(std::string(former.command), "");
  options.add(std::string(former.name), &value, "");
  const std::string text = fmt::format("{} = a\n{} = b\n", former.old_name, former.name);
  EXPECT_THAT(test::message_of<UsageError>([&] { options.read(parse_ini(text, "a.ini")); }),
              HasSubstr("a.ini:2: '" + std::string(former.name) + "' was already set (a.ini:1)"));
}

// docs/compatibility.md has the table.
TEST(Options, FormerNamesAreDocumented) {
  const std::string page = test::read_text(test::in_sources("docs/compatibility.md"));
  for (const RenamedOption& former : renamed_options()) {
    EXPECT_THAT(page, HasSubstr(fmt::format("| `{}` | `{}` | `{}` | {} |", former.command,
                                            former.old_name, former.name, former.since)));
  }
}

// Mutated command lines and files end in a configuration or a UsageError, never otherwise; and what
// was accepted reads back.
TEST(Options, SurvivesMutatedInput) {
  const std::string seed_text =
      Declared().options.to_ini() +
      "\n[train]# c\n; c\n\"x\"=1\nseed = \"\\x31\\t\"\r\n[sample]\ntags=a,b\\,";
  const std::string alphabet = std::string("[]=#;\"\\\n\r\t ,.-_0123456789xenf") + '\0' + "\xff";
  std::mt19937 random(12345);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  const int rounds = test::fuzz_rounds(20'000);
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    std::string text = seed_text.substr(0, 1 + below(seed_text.size()));
    for (std::size_t edits = below(6); edits > 0; --edits) {
      const std::size_t at = below(text.size());
      if (below(3) == 0) {
        text.erase(at, 1 + below(8));
        if (text.empty()) text = "=";
      } else if (below(2) == 0) {
        text[at] = alphabet[below(alphabet.size())];
      } else {
        text.insert(at, 1, alphabet[below(alphabet.size())]);
      }
    }
    Declared declared;
    try {
      declared.options.read(parse_ini(text, "mutated"));
      ++accepted;
    } catch (const UsageError& error) {
      EXPECT_EQ(std::string(error.what()).find('\0'), std::string::npos);
      continue;
    }
    Declared again;
    again.options.read(parse_ini(declared.options.to_ini(), "again"));
    ASSERT_EQ(again.options.to_json(), declared.options.to_json()) << text;
  }
  EXPECT_GT(accepted, rounds / 40) << "the mutations are too wild to test anything";
}

TEST(Options, SurvivesMutatedArguments) {
  const std::vector<std::string> words{
      "--steps", "--",         "-",       "",          "=",         "--=", "--train.steps=",
      "--json",  "on",         "-1",      "5",         "--classes", "1,2", "--help=",
      "-h=",     "--help=off", "--json=", "--config=", "--no",      "---", "--train.masked",
      "-5x"};
  std::mt19937 random(7);
  const int rounds = test::fuzz_rounds(5'000);
  int accepted = 0, helped = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::string> args(random() % 5);
    for (auto& arg : args) arg = words[random() % words.size()];
    Declared declared;
    try {
      if (!declared.options.parse(args)) {
        ++helped;
        continue;
      }
      ++accepted;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(),
                  testing::AllOf(testing::StartsWith("[train] "), testing::Not(HasSubstr("\n"))));
      continue;
    }
    Declared again;
    again.options.read(parse_ini(declared.options.to_ini(), "again"));
    ASSERT_EQ(again.options.to_json(), declared.options.to_json()) << testing::PrintToString(args);
  }
  EXPECT_GT(accepted, rounds / 40);
  EXPECT_GT(helped, rounds / 40);
  EXPECT_GT(rounds - accepted - helped, rounds / 4);
}

// Names of input must not be lost; of other options the last one counts, as with other programs.
TEST(OptionsTwice, ListsOfInputAreRefusedOthersReplaced) {
  std::vector<int> classes;
  std::int64_t steps = 0;
  std::vector<std::string> notes;
  const auto parse = [&](const std::vector<std::string>& arguments) {
    std::vector<std::filesystem::path> pictures;
    std::vector<std::string> features;
    OptionSet options("encode", "Encodes.");
    options.add("pictures", &pictures, "folders").positional_list();
    options.add("features", &features, "NAME=PATH");
    options.add("classes", &classes, "numbers");
    options.add("steps", &steps, "steps");
    const std::string message =
        test::message_of<UsageError>([&] { (void)options.parse(arguments); });
    notes = options.left_out();
    return message;
  };
  EXPECT_THAT(parse({"--pictures=0.tar", "--pictures=1.tar"}),
              HasSubstr("--pictures is given twice, as '0.tar' and '1.tar'"));
  EXPECT_THAT(parse({"--features", "a=x", "--features", "b=y"}),
              HasSubstr("--features is given twice, as 'a=x' and 'b=y'"));
  EXPECT_EQ(parse({"--pictures=0.tar", "--pictures=0.tar"}), "");
  EXPECT_EQ(parse({"--pictures=0.tar", "1.tar"}), "");
  EXPECT_EQ(parse({"--steps", "2", "--steps=3", "--classes=1", "--classes=2,3"}), "");
  EXPECT_EQ(steps, 3);
  EXPECT_THAT(classes, ElementsAre(2, 3));
  EXPECT_THAT(notes,
              ElementsAre("--steps is given twice, as '2' and '3': the last one counts",
                          "--classes is given twice, as '1' and '2,3': the last one counts"));
}

// "s3://..." was written into a folder called "s3:", "$SCRATCH/run" into one called "$SCRATCH".
TEST(OptionsOfPaths, AddressesAndVariablesAreNone) {
  const auto refusal = [](const std::string& value) {
    std::filesystem::path path;
    std::vector<std::filesystem::path> list;
    OptionSet options("train", "Trains.");
    options.add("data", &path, "a path");
    options.add("more", &list, "paths");
    const std::string one =
        test::message_of<UsageError>([&] { (void)options.parse(std::vector{"--data=" + value}); });
    const std::string among = test::message_of<UsageError>(
        [&] { (void)options.parse(std::vector{"--more=a.tar," + value}); });
    EXPECT_EQ(one.empty(), among.empty()) << value;
    return one;
  };
  for (const char* address :
       {"s3://bucket/run", "https://x.y/z.npy", "file:///data", "gs://a", "pipe:cat a.tar"}) {
    EXPECT_THAT(refusal(address), HasSubstr("not an address or a command")) << address;
  }
  for (const char* name : {"$SCRATCH/run", "${HOME}/x", "/data/$USER"}) {
    EXPECT_THAT(refusal(name), HasSubstr("variables ($NAME) are replaced by shells")) << name;
  }
  for (const char* name : {"a:b", "cost$", "a$1", "C://x", "a/b", "x=y://"}) {
    EXPECT_EQ(refusal(name), "") << name;
  }
  const test::TempDir directory;
  test::write_text(directory / "$odd", "");
  EXPECT_EQ(refusal((directory / "$odd").string()), "") << "there is such a file";
}

TEST(OptionsFromPages, NameWhatStandsForAKeyOfTheKeyboard) {
  const auto refusal = [](const std::string& argument) {
    bool json = false;
    OptionSet options("info", "Says.");
    options.add("json", &json, "for scripts");
    return test::message_of<UsageError>([&] { (void)options.parse(std::vector{argument}); });
  };
  EXPECT_THAT(refusal("--json\u00a0x"), HasSubstr("it has U+00A0 for a blank"));
  EXPECT_THAT(refusal("\u2013json"), HasSubstr("it has U+2013 for '-'"));
  EXPECT_THAT(test::message_of<UsageError>([] { (void)parse_ini("a\u00a0= 1\n", "x.ini"); }),
              HasSubstr("x.ini:1: a key has letters, digits, '.', '-' and '_' only; this one has "
                        "U+00A0 for a blank"));
}

}  // namespace
}  // namespace edt
