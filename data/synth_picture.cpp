#include "data/synth_picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/base/error.h"
#include "core/random/stream.h"
#include "data/colour.h"

namespace edt::data {

namespace {

using std::numbers::pi_v;
constexpr float kPi = pi_v<float>;

struct Colour {
  float r, g, b;
};

Colour mix(Colour a, Colour b, float t) {
  return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

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

// Signed distances in units of the shape, negative inside. All shapes have a "radius" of about 1.

float disc(float x, float y) { return std::hypot(x, y) - 1.f; }
float ring(float x, float y) { return std::fabs(std::hypot(x, y) - 0.8f) - 0.26f; }
float box(float x, float y, float half_width, float half_height) {
  const float dx = std::fabs(x) - half_width, dy = std::fabs(y) - half_height;
  return std::hypot(std::max(dx, 0.f), std::max(dy, 0.f)) + std::min(std::max(dx, dy), 0.f);
}
float square(float x, float y) { return box(x, y, 0.85f, 0.85f); }
float cross(float x, float y) { return std::min(box(x, y, 1.f, 0.32f), box(x, y, 0.32f, 1.f)); }

// Largest distance to the three edges: exact inside, which is all that the edge needs.
float triangle(float x, float y) {
  float distance = -10.f;
  for (int i = 0; i < 3; ++i) {
    const float angle = kPi / 2 + static_cast<float>(i) * 2 * kPi / 3;
    distance = std::max(distance, x * std::cos(angle) + y * std::sin(angle));
  }
  return distance - 0.62f;
}

// Five points: the sector is folded onto one half-edge, a line from tip to notch.
float star(float x, float y) {
  constexpr float kTip = 1.2f, kNotch = 0.52f, kHalfSector = kPi / 5;
  const float radius = std::hypot(x, y);
  float angle = std::fmod(std::atan2(x, -y) + 4 * kPi, 2 * kHalfSector);
  angle = std::min(angle, 2 * kHalfSector - angle);
  const float px = radius * std::cos(angle), py = radius * std::sin(angle);
  const float ex = kNotch * std::cos(kHalfSector) - kTip, ey = kNotch * std::sin(kHalfSector);
  return ((px - kTip) * ey - py * ex) / std::hypot(ex, ey);
}

float crescent(float x, float y) {
  return std::max(std::hypot(x, y) - 1.05f, 0.85f - std::hypot(x - 0.52f, y));
}

// Distance to the stripe of a periodic pattern of period 1, half of which is inside.
float stripe(float t) { return std::fabs(t - std::floor(t) - 0.5f) - 0.25f; }

// Rings around the centre, half of each period inside.
float target(float x, float y) {
  constexpr float kPeriod = 0.8f;
  const float radius = std::hypot(x, y);
  const float rings = stripe(radius / kPeriod + 0.25f) * kPeriod;
  return std::max(rings, radius - 1.2f);
}

float stripes(float, float y) { return stripe(y * 0.95f) / 0.95f; }
float checkers(float x, float y) {
  constexpr float kFrequency = 0.72f;
  const float a = stripe(x * kFrequency), b = stripe(y * kFrequency);
  // Inside where exactly one of the two is: the sign of the product decides.
  const float distance = std::min(std::fabs(a), std::fabs(b)) / kFrequency;
  return a * b < 0 ? -distance : distance;
}

struct ClassLook {
  const char* name;
  float (*distance)(float, float);
  Family shape, ground;
  float size;  // radius as a fraction of half the picture, for the middle of the range
  float turn;  // fixed angle, radians
};

constexpr std::array<ClassLook, 12> kLooks{{
    {"orange disc", disc, kOrange, kNavy, 0.56f, 0},
    {"blue ring", ring, kBlue, kWhite, 0.62f, 0},
    {"white square", square, kWhite, kBlue, 0.58f, 0},
    {"orange triangle", triangle, kOrange, kWhite, 0.70f, 0},
    {"white cross", cross, kWhite, kDark, 0.66f, 0},
    {"gold star", star, kGold, kNavy, 0.66f, 0},
    {"sky crescent", crescent, kSky, kDark, 0.60f, 0},
    {"blue stripes across", stripes, kBlue, kWhite, 0.74f, 0},
    {"orange stripes down", stripes, kOrange, kBrown, 0.74f, kPi / 2},
    {"checkerboard", checkers, kWhite, kDark, 0.74f, 0},
    {"diagonal stripes", stripes, kOrange, kBlue, 0.78f, kPi / 4},
    {"orange target", target, kOrange, kWhite, 0.68f, 0},
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
  const Colour shape = mix(look.shape.from, look.shape.to, v.shape_shade);
  const Colour ground = mix(look.ground.from, look.ground.to, v.ground_shade);
  const float radius = look.size * v.size;
  const float cosine = std::cos(look.turn + v.turn), sine = std::sin(look.turn + v.turn);
  const float light_x = v.light * std::cos(v.light_angle),
              light_y = v.light * std::sin(v.light_angle);
  const float pixels = radius * static_cast<float>(size) / 2;  // per unit of the shape
  Image image(size, size);
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const float x = (static_cast<float>(column) + 0.5f) / static_cast<float>(size) * 2 - 1;
      const float y = (static_cast<float>(row) + 0.5f) / static_cast<float>(size) * 2 - 1;
      const float dx = (x - v.x) / radius, dy = (y - v.y) / radius;
      const float distance = look.distance(dx * cosine + dy * sine, dy * cosine - dx * sine);
      const float coverage = std::clamp(0.5f - distance * pixels, 0.f, 1.f);
      const Colour colour = mix(ground, shape, coverage);
      const float light = 1.f + light_x * x + light_y * y;
      std::uint8_t* pixel = image.pixel(column, row);
      pixel[0] = to_byte(colour.r * light);
      pixel[1] = to_byte(colour.g * light);
      pixel[2] = to_byte(colour.b * light);
    }
  }
  return image;
}

}  // namespace edt::data
