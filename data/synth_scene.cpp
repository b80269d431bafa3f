#include "data/synth_scene.h"

#include <algorithm>
#include <cmath>

#include "data/colour.h"

namespace edt::data {

namespace {

float box(float x, float y, float half_width, float half_height) {
  const float dx = std::fabs(x) - half_width, dy = std::fabs(y) - half_height;
  return std::hypot(std::max(dx, 0.f), std::max(dy, 0.f)) + std::min(std::max(dx, dy), 0.f);
}

// Distance to the stripe of a periodic pattern of period 1, half of which is inside.
float stripe(float t) { return std::fabs(t - std::floor(t) - 0.5f) - 0.25f; }

}  // namespace

Colour mix(Colour a, Colour b, float t) {
  return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

namespace shapes {

float disc(float x, float y) { return std::hypot(x, y) - 1.f; }
float ring(float x, float y) { return std::fabs(std::hypot(x, y) - 0.8f) - 0.26f; }
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

}  // namespace shapes

// By value: a pixel that is written could not be told from a scene elsewhere, and sums of products
// would then be rounded otherwise than in the sets that are there.
Image render(Scene scene, int size) {
  const float pixels = scene.radius * static_cast<float>(size) / 2;  // per unit of the shape
  Image image(size, size);
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const float x = (static_cast<float>(column) + 0.5f) / static_cast<float>(size) * 2 - 1;
      const float y = (static_cast<float>(row) + 0.5f) / static_cast<float>(size) * 2 - 1;
      const float dx = (x - scene.x) / scene.radius, dy = (y - scene.y) / scene.radius;
      const float distance =
          scene.distance(dx * scene.cosine + dy * scene.sine, dy * scene.cosine - dx * scene.sine);
      const float coverage = std::clamp(0.5f - distance * pixels, 0.f, 1.f);
      const Colour colour = mix(scene.ground, scene.shape, coverage);
      const float light = 1.f + scene.light_x * x + scene.light_y * y;
      std::uint8_t* pixel = image.pixel(column, row);
      pixel[0] = to_byte(colour.r * light);
      pixel[1] = to_byte(colour.g * light);
      pixel[2] = to_byte(colour.b * light);
    }
  }
  return image;
}

}  // namespace edt::data
