// Reads size, colour, shape and place back from the pixels of a picture: how far pictures that a
// model has drawn from captions obey them.
#pragma once

#include <string>
#include <string_view>

#include "core/image/image.h"
#include "data/captioned_picture.h"

namespace edt::data {

// The words that describe a picture best, whatever it shows. DataError, which names `picture`, for
// one of less than 32 x 32 pixels.
PictureWords read_picture(const Image& image, const std::string& picture = "a picture");

struct CaptionAgreement {
  bool size = false, colour = false, shape = false, place = false;
  // What is held out are combinations of these; size is easily mistaken in between.
  bool all() const { return colour && shape && place; }
};

// DataError, which names `where` it is from, for a caption that words_of() does not understand, and
// `picture` for one that is too small.
CaptionAgreement compare(const Image& image, std::string_view caption, const std::string& where,
                         const std::string& picture = "a picture");

}  // namespace edt::data
