// Texts that look the same.
#include "core/unicode/unicode.h"

#include <gtest/gtest.h>

namespace edt {
namespace {

constexpr const char* kOnePoint = "caf\u00e9";
constexpr const char* kTwoPoints = "cafe\u0301";

TEST(Unicode, OneFormForTheSameCharacters) {
  EXPECT_EQ(composed(kTwoPoints), kOnePoint);
  EXPECT_EQ(composed(kOnePoint), kOnePoint);
  EXPECT_EQ(decomposed(kOnePoint), kTwoPoints);
  EXPECT_EQ(composed("\ud55c"), composed("\u1112\u1161\u11ab"));  // a syllable of Hangul
  EXPECT_NE(composed("caf\u00e9"), composed("cafe"));
  EXPECT_NE(composed("Cat"), composed("cat"));
}

TEST(Unicode, BytesOfOtherEncodingsStay) {
  const std::string latin1 = "caf\xe9";
  EXPECT_EQ(composed(latin1), latin1);
  EXPECT_EQ(look_of(latin1), latin1);
  EXPECT_EQ(stand_ins(latin1), "");
}

TEST(Unicode, LooksOfWhatAnEyeCannotTellApart) {
  for (const char* other : {"Fish a-b", "\ufb01sh a-b", "fish\u00a0a-b", "fi\u200bsh a-b",
                            "fish a\u2013b", " fish a-b ", "\uff46ish a-b", "FISH A-B"}) {
    EXPECT_EQ(look_of(other), "fish a-b") << other;
  }
  EXPECT_NE(look_of("fish"), look_of("fishes"));
  EXPECT_NE(look_of("cat"), look_of("\u0441at"));  // Cyrillic: another letter, in many names right
  EXPECT_EQ(look_of(kTwoPoints), look_of("CAF\u00c9"));
}

TEST(Unicode, NamesWhatStandsForAKeyOfTheKeyboard) {
  EXPECT_EQ(stand_ins("--data\u00a0D"), "U+00A0 for a blank");
  EXPECT_EQ(stand_ins("\u2013data"), "U+2013 for '-'");
  EXPECT_EQ(stand_ins("\u2019x\u2019"), "U+2019 for '''");
  EXPECT_EQ(stand_ins("\u201cD\u201d"), "U+201C for '\"'");
  EXPECT_EQ(stand_ins("\uff18"), "U+FF18 for '8'");
  EXPECT_EQ(stand_ins("st\u200beps"), "U+200B, which cannot be seen");
  EXPECT_EQ(stand_ins("plain"), "");
  EXPECT_EQ(stand_ins("caf\u00e9 \u65e5\u672c"), "");
}

TEST(Unicode, TellsUtf8FromOtherBytes) {
  for (const char* text : {"", "plain", "caf\u00e9 \u65e5\u672c", "\U0001f600"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  // Latin-1, a character cut short, a longer form than is needed, half of a pair of UTF-16.
  for (const char* text : {"caf\xe9", "caf\xc3", "\xc0\x80", "\xed\xa0\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

}  // namespace
}  // namespace edt
