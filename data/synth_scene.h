// One shape on a ground, as synthetic pictures show it.
#pragma once

#include <numbers>

#include "core/image/image.h"

namespace edt::data {

inline constexpr float kPi = std::numbers::pi_v<float>;

struct Colour {
  float r, g, b;
};

Colour mix(Colour a, Colour b, float t);

// Signed distances in units of the shape, negative inside. All shapes have a "radius" of about 1.
namespace shapes {
float disc(float x, float y);
float ring(float x, float y);
float square(float x, float y);
float cross(float x, float y);
float triangle(float x, float y);
float star(float x, float y);
float crescent(float x, float y);
float target(float x, float y);
float stripes(float x, float y);
float checkers(float x, float y);
}  // namespace shapes

struct Scene {
  float (*distance)(float, float);
  Colour shape, ground;
  float x, y;              // of the centre, -1 to 1 across the picture
  float radius;            // as a fraction of half the picture
  float cosine, sine;      // of the angle that it is turned by
  float light_x, light_y;  // how much brighter a picture gets from its centre to an edge
};

// `size` in pixels.
Image render(Scene scene, int size);

}  // namespace edt::data
