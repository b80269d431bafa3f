#include "data/synth_picture.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "core/random/stream.h"
#include "data/synth_scene.h"

namespace edt::data {

namespace {

// All colours lie near one plane, grey and orange to blue, because the four latent channels keep
// brightness with its slopes and a single chroma. Each family runs from one shade to another.
struct Family {
  Colour from, to;
};
constexpr Family kOrange{{235, 120, 10}, {255, 165, 45}};
constexpr Family kGold{{250, 195, 70}, {255, 220, 120}};
constexpr Family kBlue{{20, 85, 215}, {60, 130, 245}};
constexpr Family kSky{{110, 175, 250}, {150, 205, 255}};
constexpr Family kWhite{{235, 235, 232}, {255, 255, 255}};
constexpr Family kDark{{12, 14, 20}, {45, 45, 50}};
constexpr Family kNavy{{5, 20, 75}, {15, 45, 120}};
constexpr Family kBrown{{70, 32, 5}, {105, 55, 15}};

struct ClassLook {
  const char* name;
  float (*distance)(float, float);
  Family shape, ground;
  float size;  // radius as a fraction of half the picture, for the middle of the range
  float turn;  // fixed angle, radians
};

constexpr std::array<ClassLook, 12> kLooks{{
    {"orange disc", shapes::disc, kOrange, kNavy, 0.56f, 0},
    {"blue ring", shapes::ring, kBlue, kWhite, 0.62f, 0},
    {"white square", shapes::square, kWhite, kBlue, 0.58f, 0},
    {"orange triangle", shapes::triangle, kOrange, kWhite, 0.70f, 0},
    {"white cross", shapes::cross, kWhite, kDark, 0.66f, 0},
    {"gold star", shapes::star, kGold, kNavy, 0.66f, 0},
    {"sky crescent", shapes::crescent, kSky, kDark, 0.60f, 0},
    {"blue stripes across", shapes::stripes, kBlue, kWhite, 0.74f, 0},
    {"orange stripes down", shapes::stripes, kOrange, kBrown, 0.74f, kPi / 2},
    {"checkerboard", shapes::checkers, kWhite, kDark, 0.74f, 0},
    {"diagonal stripes", shapes::stripes, kOrange, kBlue, 0.78f, kPi / 4},
    {"orange target", shapes::target, kOrange, kWhite, 0.68f, 0},
}};

// What varies between the pictures of a class, from eight uniform numbers.
struct Variation {
  float x, y, size, turn, shape_shade, ground_shade, light, light_angle;
};

Variation draw_variation(std::uint64_t seed, std::uint32_t sample) {
  std::array<float, 8> u;
  random::fill_uniform({seed, random::Purpose::kSynthetic, 0, sample}, u);
  Variation v;
  v.x = (u[0] - 0.5f) * 0.5f;
  v.y = (u[1] - 0.5f) * 0.5f;
  v.size = 0.85f + 0.3f * u[2];
  v.turn = (u[3] - 0.5f) * 0.5f;  // about +-14 degrees
  v.shape_shade = u[4];
  v.ground_shade = u[5];
  v.light = 0.06f + 0.10f * u[6];
  v.light_angle = 2 * kPi * u[7];
  return v;
}

}  // namespace

const std::vector<std::string>& synth_class_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    list.reserve(std::size(kLooks));
    for (const ClassLook& look : kLooks) list.emplace_back(look.name);
    return list;
  }();
  return names;
}

Image draw_synth_picture(int label, int size, std::uint64_t seed, std::uint32_t sample) {
  require<UsageError>(label >= 0 && label < static_cast<int>(kLooks.size()), "synth",
                      "class {}, there are {}", label, kLooks.size());
  const ClassLook& look = kLooks[static_cast<std::size_t>(label)];
  const Variation v = draw_variation(seed, sample);
  const float turn = look.turn + v.turn;
  return render({.distance = look.distance,
                 .shape = mix(look.shape.from, look.shape.to, v.shape_shade),
                 .ground = mix(look.ground.from, look.ground.to, v.ground_shade),
                 .x = v.x,
                 .y = v.y,
                 .radius = look.size * v.size,
                 .cosine = std::cos(turn),
                 .sine = std::sin(turn),
                 .light_x = v.light * std::cos(v.light_angle),
                 .light_y = v.light * std::sin(v.light_angle)},
                size);
}

}  // namespace edt::data
