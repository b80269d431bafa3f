// Pictures larger than the model's, window by window: each knows what it shares with the windows
// to the left and above, and is sampled around it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"

namespace edt {

struct Extension {
  std::int64_t columns = 1, rows = 1;  // windows
  std::int64_t overlap = 0;            // latents that neighbours share

  std::int64_t windows() const { return columns * rows; }
  bool is_on() const { return windows() > 1; }
  static constexpr std::int64_t kMost = 16;  // columns or rows
  // UsageError unless neighbours share some latents, and not all.
  void validate(const LatentShape& window) const;
  // Of the whole picture.
  LatentShape whole(const LatentShape& window) const;
};

// The pictures of a batch as far as their windows are made.
class ExtendedPictures {
 public:
  ExtendedPictures(const Extension& extension, const LatentShape& window, std::int64_t pictures);

  struct Window {
    std::int64_t column = 0, row = 0;

    // Which keys its noise: the same however many windows there are.
    std::uint32_t number() const {
      return static_cast<std::uint32_t>(row * Extension::kMost + column);
    }
  };
  // In the order in which they are made.
  std::vector<Window> windows() const;

  // What is there already of a window's place: latents [B, C, H, W] of the window.
  std::vector<float> known(const Window& window) const;
  std::vector<std::uint8_t> mask(const Window& window) const;  // [B, H, W]
  void put(const Window& window, std::span<const float> latents);
  std::span<const float> latents() const { return latents_; }  // [B, C, of the whole]

 private:
  // f(place in the whole, place in the window) of runs of `width` latents.
  template <class F>
  void for_each_row(const Window& window, F f) const;

  Extension extension_;
  LatentShape window_, whole_;
  std::int64_t pictures_;
  std::vector<float> latents_;
};

}  // namespace edt
