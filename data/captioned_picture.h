// Pictures that a caption describes whole: one shape on grey, whose size, colour, shape and place
// vary independently of each other. A tenth of the combinations of colour, shape and place is held
// out: a model that has understood the words draws them too.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/image/image.h"
#include "data/synth_scene.h"

namespace edt::data {

inline constexpr std::array<const char*, 2> kSizeWords{"small", "large"};
inline constexpr std::array<const char*, 6> kColourWords{"orange", "blue",  "white",
                                                         "black",  "brown", "sky"};
inline constexpr std::array<const char*, 5> kShapeWords{"disc", "ring", "square", "triangle",
                                                        "cross"};
inline constexpr std::array<const char*, 9> kPlaceWords{"top left",    "top",    "top right",
                                                        "left",        "centre", "right",
                                                        "bottom left", "bottom", "bottom right"};
inline constexpr std::uint64_t kMostCaptionWords = 5;

// Places in the lists above.
struct PictureWords {
  int size = 0, colour = 0, shape = 0, place = 0;
  bool operator==(const PictureWords&) const = default;
};

// "small orange disc top left"
std::string caption_of(const PictureWords& words);
// Of a caption that names one of each, in any order, with any other words between them.
std::optional<PictureWords> words_of(std::string_view caption);

// Words of a caption that no caption of a picture has, as they are written.
std::vector<std::string> unknown_words(std::string_view caption);

bool is_held_out(const PictureWords& words);
// All of those, each in both sizes.
std::vector<PictureWords> held_out_words();

// Of picture `sample`, never held out: a function of its arguments.
PictureWords draw_picture_words(std::uint64_t seed, std::uint32_t sample);
// Exact place, size, turn, shade and light within what the words say vary with seed and sample.
Image draw_captioned_picture(const PictureWords& words, int size, std::uint64_t seed,
                             std::uint32_t sample);

// What a reader of pictures compares with: the middle of what the words say. `radius` is a fraction
// of half the picture, `x` and `y` run from -1 to 1.
float (*shape_of(const PictureWords& words))(float, float);
Colour colour_of(int colour);
float radius_of(int size);
std::array<float, 2> place_of(int place);

}  // namespace edt::data
