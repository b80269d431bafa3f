// JPEG through libjpeg, with its default settings, which are Pillow's.
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/image/formats.h"
#include "core/image/guarded.h"
#include "core/image/orientation.h"

namespace edt::formats {

namespace {

// An entropy-coded block of 8 x 8 pixels takes a bit at least.
constexpr std::uint64_t kJpegPixelsPerByte = 8 * 64;
// A file can ask for any number of passes over the picture. Encoders make about ten.
constexpr int kMostScans = 500;
constexpr int kExifMarker = JPEG_APP0 + 1;

struct JpegReader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  jmp_buf out{};
  char reason[JMSG_LENGTH_MAX] = "";
};

JpegReader& reader_of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

[[noreturn]] void leave_jpeg(j_common_ptr info) {
  JpegReader& reader = reader_of(info);
  info->err->format_message(info, reader.reason);
  longjmp(reader.out, 1);
}

// All bytes are there from the beginning: asking for more means that the file was cut off, and
// libjpeg then returns to its caller.
void nothing(j_decompress_ptr) {}
boolean no_more(j_decompress_ptr) { return FALSE; }
void skip(j_decompress_ptr info, long bytes) {
  jpeg_source_mgr& source = *info->src;
  const std::size_t count =
      bytes <= 0 ? 0 : std::min(static_cast<std::size_t>(bytes), source.bytes_in_buffer);
  source.next_input_byte += count;
  source.bytes_in_buffer -= count;
}

void limit_scans(j_common_ptr info) {
  JpegReader& reader = reader_of(info);
  if (reader.info.input_scan_number <= kMostScans) return;
  snprintf(reader.reason, sizeof reader.reason, "more than %d scans", kMostScans);
  longjmp(reader.out, 1);
}

void no_jpeg_message(j_common_ptr) {}

void prepare(JpegReader& reader, Bytes encoded) {
  jpeg_decompress_struct& info = reader.info;
  info.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = leave_jpeg;
  reader.errors.output_message = no_jpeg_message;
  info.client_data = &reader;
  reader.source = {.next_input_byte = reinterpret_cast<const JOCTET*>(encoded.data()),
                   .bytes_in_buffer = encoded.size(),
                   .init_source = nothing,
                   .fill_input_buffer = no_more,
                   .skip_input_data = skip,
                   .resync_to_restart = jpeg_resync_to_restart,
                   .term_source = nothing};
  reader.progress.progress_monitor = limit_scans;
}

// Frees what libjpeg holds, whatever happened.
struct JpegCleanup {
  JpegReader& reader;
  ~JpegCleanup() { jpeg_destroy_decompress(&reader.info); }
};

int orientation_of(const jpeg_decompress_struct& info) {
  constexpr char kExif[] = "Exif\0";  // and the zero that ends the text
  for (const jpeg_marker_struct* m = info.marker_list; m != nullptr; m = m->next) {
    if (m->marker != kExifMarker || m->data_length <= sizeof kExif) continue;
    if (std::memcmp(m->data, kExif, sizeof kExif) != 0) continue;
    return exif_orientation(
        std::as_bytes(std::span(m->data, m->data_length)).subspan(sizeof kExif));
  }
  return 1;
}

// a b / 255, rounded.
std::uint32_t product_255(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t sum = a * b + 128;
  return ((sum >> 8) + sum) >> 8;
}

// Adobe stores 255 - ink, and everybody else has followed.
void inks_to_rgb(const std::uint8_t* inverted, std::uint8_t* rgb, int width) {
  for (int x = 0; x < width; ++x, inverted += 4, rgb += 3) {
    const std::uint32_t white = inverted[3];
    for (int c = 0; c < 3; ++c) {
      rgb[c] = static_cast<std::uint8_t>(white - product_255(255u - inverted[c], white));
    }
  }
}

// Rows that were there; fewer than the picture has where the file was cut off.
void read_rows(JpegReader& reader, std::uint8_t* pixels, std::uint8_t* inks) {
  jpeg_decompress_struct& info = reader.info;
  if (!jpeg_start_decompress(&info)) return;
  while (info.output_scanline < info.output_height) {
    std::uint8_t* rgb =
        pixels + static_cast<std::size_t>(info.output_scanline) * info.output_width * 3;
    JSAMPROW row = inks != nullptr ? inks : rgb;
    if (jpeg_read_scanlines(&info, &row, 1) != 1) return;
    if (inks != nullptr) inks_to_rgb(inks, rgb, static_cast<int>(info.output_width));
  }
}

}  // namespace

Decoded decode_jpeg(Bytes encoded, std::uint64_t most_pixels) {
  JpegReader reader;
  prepare(reader, encoded);
  const JpegCleanup cleanup{reader};
  int header = JPEG_SUSPENDED;
  if (!guarded(reader.out, [&] {
        jpeg_create_decompress(&reader.info);
        reader.info.client_data = &reader;
        reader.info.src = &reader.source;
        reader.info.progress = &reader.progress;
        jpeg_save_markers(&reader.info, kExifMarker, 0xffff);
        header = jpeg_read_header(&reader.info, TRUE);
      })) {
    throw Refused{reader.reason};
  }
  if (header != JPEG_HEADER_OK) throw Refused{"cut off within its header"};
  jpeg_decompress_struct& info = reader.info;
  require_size(info.image_width, info.image_height, encoded, most_pixels, kJpegPixelsPerByte);
  const int components = info.num_components;
  if (components != 1 && components != 3 && components != 4) {
    throw Refused{fmt::format("{} components; 1, 3 and 4 are read", components)};
  }
  info.out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;

  Decoded decoded{Image(static_cast<int>(info.image_width), static_cast<int>(info.image_height)),
                  orientation_of(info)};
  std::vector<std::uint8_t> inks(components == 4 ? std::size_t{info.image_width} * 4 : 0);
  std::uint8_t* const pixels = decoded.image.pixels.data();
  std::uint8_t* const row = inks.empty() ? nullptr : inks.data();
  if (!guarded(reader.out, [&] { read_rows(reader, pixels, row); })) throw Refused{reader.reason};
  if (info.output_scanline < info.image_height) {
    throw Refused{
        fmt::format("cut off: {} of {} rows are there", info.output_scanline, info.image_height)};
  }
  return decoded;
}

}  // namespace edt::formats
