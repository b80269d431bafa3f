#include "data/caption_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/base/error.h"

namespace edt::data {

namespace {

constexpr int kSide = 32;  // cells across, which a picture is averaged to
constexpr std::size_t kCells = kSide * kSide;

float cell_centre(int cell) { return (static_cast<float>(cell) + 0.5f) * 2 / kSide - 1; }

std::vector<Colour> cells_of(const Image& image, const std::string& picture) {
  require<DataError>(image.width >= kSide && image.height >= kSide, "captions",
                     "{} of {} x {} pixels, {} x {} at least are needed", picture, image.width,
                     image.height, kSide, kSide);
  std::vector<Colour> cells(kCells, Colour{0, 0, 0});
  std::vector<float> count(kCells, 0);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const auto cell =
          static_cast<std::size_t>(y * kSide / image.height * kSide + x * kSide / image.width);
      const std::uint8_t* pixel = image.pixel(x, y);
      cells[cell].r += static_cast<float>(pixel[0]);
      cells[cell].g += static_cast<float>(pixel[1]);
      cells[cell].b += static_cast<float>(pixel[2]);
      ++count[cell];
    }
  }
  for (std::size_t i = 0; i < kCells; ++i) cells[i] = mix({0, 0, 0}, cells[i], 1 / count[i]);
  return cells;
}

float distance(Colour a, Colour b) {
  return std::sqrt((a.r - b.r) * (a.r - b.r) + (a.g - b.g) * (a.g - b.g) +
                   (a.b - b.b) * (a.b - b.b));
}

float at_share(std::vector<float> values, double share) {
  const auto place =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

// The median of all cells: no shape covers half of a picture.
Colour ground_of(const std::vector<Colour>& cells) {
  std::array<std::vector<float>, 3> channels;
  for (const Colour& cell : cells) {
    channels[0].push_back(cell.r);
    channels[1].push_back(cell.g);
    channels[2].push_back(cell.b);
  }
  return {at_share(channels[0], 0.5), at_share(channels[1], 0.5), at_share(channels[2], 0.5)};
}

// How much of each cell is of the shape, 0 to 1. What differs from the ground by less than its own
// light and noise is none.
std::vector<float> mask_of(const std::vector<Colour>& cells) {
  const Colour ground = ground_of(cells);
  std::vector<float> mask;
  for (const Colour& cell : cells) mask.push_back(distance(cell, ground));
  const float full = std::max(at_share(mask, 0.98), 1.f);
  for (float& value : mask) value = std::clamp((value / full - 0.2f) / 0.8f, 0.f, 1.f);
  return mask;
}

struct Fit {
  float likeness = -1;  // cosine between mask and template
  int shape = 0;
  float radius = 0, x = 0, y = 0;
};

// As a picture of it averages to cells: blurred by about one.
std::vector<float> template_of(const Fit& fit) {
  const auto shape = shape_of({.shape = fit.shape});
  constexpr float kBlur = 1.5f * 2 / kSide;
  std::vector<float> values;
  for (int row = 0; row < kSide; ++row) {
    for (int column = 0; column < kSide; ++column) {
      const float signed_distance = fit.radius * shape((cell_centre(column) - fit.x) / fit.radius,
                                                       (cell_centre(row) - fit.y) / fit.radius);
      values.push_back(std::clamp(0.5f - signed_distance / kBlur, 0.f, 1.f));
    }
  }
  return values;
}

float likeness(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < kCells; ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return static_cast<float>(ab / std::sqrt(std::max(aa * bb, 1e-12)));
}

std::array<float, 2> centroid(const std::vector<float>& mask) {
  double x = 0, y = 0, sum = 1e-12;
  for (std::size_t i = 0; i < kCells; ++i) {
    if (mask[i] < 0.3f) continue;
    x += mask[i] * cell_centre(static_cast<int>(i % kSide));
    y += mask[i] * cell_centre(static_cast<int>(i / kSide));
    sum += mask[i];
  }
  return {static_cast<float>(x / sum), static_cast<float>(y / sum)};
}

// The likest of one shape: of all radii about where the mask has its centre, then of places there.
Fit best_fit_of(int shape, const std::vector<float>& mask) {
  const auto [x, y] = centroid(mask);
  Fit best{.shape = shape};
  const auto take = [&](Fit fit) {
    fit.likeness = likeness(mask, template_of(fit));
    if (fit.likeness > best.likeness) best = fit;
  };
  float radius = 0.24f;
  for (int larger = 0; larger < 10; ++larger, radius += 0.03f) {
    take({.shape = shape, .radius = radius, .x = x, .y = y});
  }
  constexpr float kStep = 1.f / kSide;  // half a cell
  for (int shift = 0; shift < 25; ++shift) {
    const int across = shift % 5 - 2, down = shift / 5 - 2;
    take({.shape = shape,
          .radius = best.radius,
          .x = x + static_cast<float>(across) * kStep,
          .y = y + static_cast<float>(down) * kStep});
  }
  return best;
}

Fit best_fit(const std::vector<float>& mask) {
  Fit best;
  for (int shape = 0; shape < static_cast<int>(kShapeWords.size()); ++shape) {
    const Fit fit = best_fit_of(shape, mask);
    if (fit.likeness > best.likeness) best = fit;
  }
  return best;
}

// Of the cells that the shape covers most.
Colour colour_within(const std::vector<Colour>& cells, const std::vector<float>& covered) {
  Colour sum{0, 0, 0};
  float weight = 1e-6f;
  const float most = *std::ranges::max_element(covered);
  for (std::size_t i = 0; i < kCells; ++i) {
    if (covered[i] < 0.95f * most) continue;
    sum = {sum.r + cells[i].r, sum.g + cells[i].g, sum.b + cells[i].b};
    ++weight;
  }
  return mix({0, 0, 0}, sum, 1 / weight);
}

template <class Distance>
int nearest(int count, Distance distance_to) {
  int best = 0;
  for (int i = 1; i < count; ++i) {
    if (distance_to(i) < distance_to(best)) best = i;
  }
  return best;
}

}  // namespace

PictureWords read_picture(const Image& image, const std::string& picture) {
  const std::vector<Colour> cells = cells_of(image, picture);
  const Fit fit = best_fit(mask_of(cells));
  const Colour colour = colour_within(cells, template_of(fit));
  PictureWords words{.shape = fit.shape};
  words.size =
      nearest(kSizeWords.size(), [&](int i) { return std::abs(radius_of(i) - fit.radius); });
  words.colour =
      nearest(kColourWords.size(), [&](int i) { return distance(colour_of(i), colour); });
  words.place = nearest(kPlaceWords.size(), [&](int i) {
    const auto [x, y] = place_of(i);
    return std::hypot(x - fit.x, y - fit.y);
  });
  return words;
}

CaptionAgreement compare(const Image& image, std::string_view caption, const std::string& where,
                         const std::string& picture) {
  const auto words = words_of(caption);
  require<DataError>(words.has_value(), "captions",
                     "{}: '{}' does not name one size, colour, shape and place of the pictures "
                     "that `edt data synth --captions` draws",
                     where, caption);
  const PictureWords seen = read_picture(image, picture);
  return {seen.size == words->size, seen.colour == words->colour, seen.shape == words->shape,
          seen.place == words->place};
}

}  // namespace edt::data
