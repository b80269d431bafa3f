// Options that belong to somebody, or have an effect only where a list names something.
#include <gmock/gmock-more-matchers.h>

#include "core/options/options.h"
#include "tests/support/message_of.h"

namespace edt {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct Shop {
  std::string animal = "cat";
  std::vector<std::string> tricks;
  int mice = 0, bones = 0, height = 1;
  OptionSet options{"shop", ""};

  Shop() {
    options.add("animal", &animal, "which").choices({"cat", "lion", "dog"});
    options.add("tricks", &tricks, "that it knows");
    {
      const OptionSet::Scope cats(options, "cats", "animal", {"cat", "lion"});
      options.add("mice", &mice, "caught");
    }
    options.add("bones", &bones, "buried").used_when("animal", {"dog"});
    options.add("height", &height, "of the jump").used_when("tricks", {"jump", "climb"});
  }
  std::string refusal(std::vector<std::string> args) {
    return test::message_of<UsageError>([&] { options.parse(args); });
  }
};

TEST(OptionScope, ARefusalNamesTheOwnerAndWhatIsThere) {
  EXPECT_EQ(Shop().refusal({"--mice=3", "--animal=dog"}),
            "[shop] mice = '3' (command line): mice belongs to cats, and animal is dog");
  EXPECT_EQ(Shop().refusal({"--mice=3", "--animal=lion"}), "");
  EXPECT_EQ(Shop().refusal({"--mice=0", "--animal=dog"}), "") << "says nothing";
  EXPECT_THAT(Shop().refusal({"--bones=0"}), HasSubstr("is used only when animal is dog"))
      << "belongs to nobody, and was asked for";
}

TEST(OptionScope, EndsWithTheScope) {
  const Shop shop;
  ASSERT_EQ(shop.options.owned().size(), 1u);
  EXPECT_EQ(shop.options.owned()[0].name, "mice");
  EXPECT_EQ(shop.options.owned()[0].owner, "cats");
  EXPECT_THAT(shop.options.help(), HasSubstr("caught (default 0; cats only)"));
}

TEST(OptionScope, WhatHasNoEffectIsNotInTheConfiguration) {
  Shop shop;
  EXPECT_EQ(shop.refusal({"--animal=dog", "--bones=2"}), "");
  EXPECT_EQ(shop.options.to_ini(), "animal = dog\ntricks = \nbones = 2\n");
}

TEST(OptionScope, OfAListOneElementIsEnough) {
  EXPECT_EQ(Shop().refusal({"--tricks=sit,jump", "--height=2"}), "");
  EXPECT_EQ(Shop().refusal({"--tricks=climb", "--height=2"}), "");
  EXPECT_THAT(Shop().refusal({"--tricks=sit,roll", "--height=2"}),
              HasSubstr("height is used only when tricks is jump or climb, and it is sit,roll"));
}

TEST(OptionScope, WhatBelongsToOthersIsRefusedOnceItIsKnownWhoIsThere) {
  int mice = 0;
  OptionSet options("feed", "");
  {
    const OptionSet::Scope cats(options, "cats");
    options.add("mice", &mice, "given");
  }
  const auto refusal = [&](const char* who) {
    return test::message_of<UsageError>(
        [&] { options.refuse_others({who}, "the animal is " + std::string(who)); });
  };
  EXPECT_THAT(refusal("dogs"), IsEmpty());
  options.parse(std::vector<std::string>{"--mice=0"});
  EXPECT_THAT(refusal("cats"), IsEmpty());
  EXPECT_EQ(refusal("dogs"),
            "[feed] mice = '0' (command line): mice belongs to cats, the animal is dogs");
}

}  // namespace
}  // namespace edt
