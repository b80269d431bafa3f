#include "data/captioned_picture.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/base/assert.h"
#include "core/random/stream.h"
#include "data/caption_encoder.h"

namespace edt::data {

namespace {

// Of Purpose::kSynthetic: pictures of classes have step 0, words of the encoder step 2.
constexpr std::uint32_t kPictures = 1, kHeldOut = 3;
constexpr float kHeldOutShare = 0.1f;

constexpr int kColours = kColourWords.size(), kShapes = kShapeWords.size(),
              kPlaces = kPlaceWords.size();

// Bold ones of the plane that four latent channels can show (synth_picture.cpp), far from each
// other and from the ground.
constexpr std::array<Colour, kColours> kPalette{
    {{245, 140, 25}, {40, 105, 230}, {246, 246, 244}, {26, 28, 34}, {88, 44, 10}, {135, 192, 252}}};
constexpr Colour kGround{84, 84, 84};  // each colour is brighter or darker: slopes are grey alone
constexpr std::array<float (*)(float, float), kShapes> kDistances{
    shapes::disc, shapes::ring, shapes::square, shapes::triangle, shapes::cross};
constexpr std::array<float, 2> kRadii{0.29f, 0.46f};
constexpr float kOffset = 0.42f;  // of a place from the centre

PictureWords combination(int number) {
  return {.size = 0,
          .colour = number % kColours,
          .shape = number / kColours % kShapes,
          .place = number / (kColours * kShapes)};
}

std::vector<PictureWords> combinations(bool held_out) {
  std::vector<PictureWords> all;
  for (int number = 0; number < kColours * kShapes * kPlaces; ++number) {
    const PictureWords words = combination(number);
    if (is_held_out(words) == held_out) all.push_back(words);
  }
  return all;
}

template <std::size_t kCount>
std::optional<int> only_one(std::span<const std::string> words,
                            const std::array<const char*, kCount>& list) {
  std::optional<int> found;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (std::ranges::find(words, list[i]) == words.end()) continue;
    if (found) return {};
    found = static_cast<int>(i);
  }
  return found;
}

bool is_any(const std::string& word) {
  const auto among = [&](const auto& list) {
    return std::ranges::any_of(list, [&](const char* of_list) {
      const auto words = caption_words(of_list);
      return std::ranges::find(words, word) != words.end();
    });
  };
  return among(kSizeWords) || among(kColourWords) || among(kShapeWords) || among(kPlaceWords);
}

// Words of a place say how far up and how far across.
std::optional<int> place_in(std::span<const std::string> words) {
  const auto has = [&](const char* word) { return std::ranges::find(words, word) != words.end(); };
  if (has("top") && has("bottom")) return {};
  if (has("left") && has("right")) return {};
  const bool off_centre = has("top") || has("bottom") || has("left") || has("right");
  if (off_centre == has("centre")) return {};
  const int row = has("top") ? 0 : has("bottom") ? 2 : 1;
  const int column = has("left") ? 0 : has("right") ? 2 : 1;
  return 3 * row + column;
}

}  // namespace

std::string caption_of(const PictureWords& words) {
  return std::string(kSizeWords.at(static_cast<std::size_t>(words.size))) + " " +
         kColourWords.at(static_cast<std::size_t>(words.colour)) + " " +
         kShapeWords.at(static_cast<std::size_t>(words.shape)) + " " +
         kPlaceWords.at(static_cast<std::size_t>(words.place));
}

std::optional<PictureWords> words_of(std::string_view caption) {
  const std::vector<std::string> words = caption_words(caption);
  const auto size = only_one(words, kSizeWords), colour = only_one(words, kColourWords),
             shape = only_one(words, kShapeWords), place = place_in(words);
  if (!size || !colour || !shape || !place) return {};
  return PictureWords{*size, *colour, *shape, *place};
}

std::vector<std::string> unknown_words(std::string_view caption) {
  std::vector<std::string> words = caption_words(caption);
  std::erase_if(words, [](const std::string& word) { return is_any(word); });
  return words;
}

bool is_held_out(const PictureWords& words) {
  const int number = words.colour + kColours * (words.shape + kShapes * words.place);
  return random::uniform({0, random::Purpose::kSynthetic, kHeldOut,
                          static_cast<std::uint32_t>(number)}) < kHeldOutShare;
}

std::vector<PictureWords> held_out_words() {
  std::vector<PictureWords> all;
  for (PictureWords words : combinations(true)) {
    for (words.size = 0; words.size < static_cast<int>(kSizeWords.size()); ++words.size) {
      all.push_back(words);
    }
  }
  return all;
}

PictureWords draw_picture_words(std::uint64_t seed, std::uint32_t sample) {
  static const std::vector<PictureWords> drawn = combinations(false);
  std::array<float, 4> u;
  random::fill_uniform({seed, random::Purpose::kSynthetic, kPictures, sample}, u);
  PictureWords words = drawn[static_cast<std::size_t>(u[0] * static_cast<float>(drawn.size()))];
  words.size = u[1] < 0.5f ? 0 : 1;
  return words;
}

Image draw_captioned_picture(const PictureWords& words, int size, std::uint64_t seed,
                             std::uint32_t sample) {
  std::array<float, 12> u;  // the first four chose the words
  random::fill_uniform({seed, random::Purpose::kSynthetic, kPictures, sample}, u);
  const auto varied = [&](std::size_t i, float by) { return (2 * u[i] - 1) * by; };
  const auto [x, y] = place_of(words.place);
  const float turn = varied(7, 0.12f), light = 0.02f + 0.05f * u[9], angle = 2 * kPi * u[10];
  const float shade = varied(8, 8.f), ground = varied(11, 8.f);
  const auto shaded = [](Colour colour, float by) {
    return Colour{colour.r + by, colour.g + by, colour.b + by};
  };
  return render({.distance = shape_of(words),
                 .shape = shaded(colour_of(words.colour), shade),
                 .ground = shaded(kGround, ground),
                 .x = x + varied(4, 0.06f),
                 .y = y + varied(5, 0.06f),
                 .radius = radius_of(words.size) * (1 + varied(6, 0.08f)),
                 .cosine = std::cos(turn),
                 .sine = std::sin(turn),
                 .light_x = light * std::cos(angle),
                 .light_y = light * std::sin(angle)},
                size);
}

float (*shape_of(const PictureWords& words))(float, float) {
  return kDistances.at(static_cast<std::size_t>(words.shape));
}

Colour colour_of(int colour) { return kPalette.at(static_cast<std::size_t>(colour)); }

float radius_of(int size) { return kRadii.at(static_cast<std::size_t>(size)); }

std::array<float, 2> place_of(int place) {
  const int across = place % 3 - 1, down = place / 3 - 1;
  return {kOffset * static_cast<float>(across), kOffset * static_cast<float>(down)};
}

}  // namespace edt::data
