#include "launcher/run/tensorboard.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <boost/crc.hpp>
#include <chrono>
#include <protozero/pbf_writer.hpp>

#include "core/base/error.h"

namespace edt {
namespace {

// Field numbers of event.proto and summary.proto.
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
enum SessionLogField { kStatus = 1 };
enum SummaryField { kValue = 1 };
enum ValueField { kTag = 1, kSimpleValue = 2, kImage = 4 };
enum ImageField { kHeight = 1, kWidth = 2, kColorspace = 3, kEncodedImage = 4 };
constexpr int kSessionStart = 1;

template <class Integer>
std::string little_endian(Integer value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    bytes += static_cast<char>((value >> (8 * i)) & 0xff);
  }
  return bytes;
}

std::string tf_record(std::string_view data) {
  const std::string length = little_endian<std::uint64_t>(data.size());
  std::string record = length + little_endian(masked_crc32c(length));
  record += data;
  return record + little_endian(masked_crc32c(data));
}

double seconds_since_epoch() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

template <class Fill>
std::string event(std::int64_t step, Fill fill) {
  std::string message;
  protozero::pbf_writer writer(message);
  writer.add_double(kWallTime, seconds_since_epoch());
  writer.add_int64(kStep, step);
  fill(writer);
  return tf_record(message);
}

// "events.out.tfevents.<seconds>.<host>.<pid>.<n>": TensorBoard reads a directory's files in the
// order of their names.
std::filesystem::path new_file_name(const std::filesystem::path& directory) {
  static std::atomic<int> files{0};
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return directory / fmt::format("events.out.tfevents.{:010}.{}.{}.{}",
                                 static_cast<std::int64_t>(seconds_since_epoch()), host.data(),
                                 getpid(), files++);
}

struct PngHeader {
  std::uint32_t width = 0, height = 0, channels = 0;
};

PngHeader png_header(std::string_view png) {
  constexpr std::string_view kStart("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  constexpr std::array<std::uint32_t, 7> kChannels{1, 0, 3, 3, 2, 0, 4};  // by colour type
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(png[i]); };
  const auto big_endian = [&](std::size_t i) {
    return std::uint32_t{byte(i)} << 24 | std::uint32_t{byte(i + 1)} << 16 |
           std::uint32_t{byte(i + 2)} << 8 | std::uint32_t{byte(i + 3)};
  };
  require(png.size() >= 26 && png.starts_with(kStart) && byte(25) < kChannels.size(), "tensorboard",
          "{} bytes given as an image are no PNG file", png.size());
  return {big_endian(16), big_endian(20), kChannels[byte(25)]};
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& directory,
                                     std::int64_t first_step)
    : file_(new_file_name(directory)) {
  file_.append(event(0, [](auto& writer) { writer.add_string(kFileVersion, "brain.Event:2"); }));
  file_.append(event(first_step, [](auto& writer) {
    protozero::pbf_writer session(writer, kSessionLog);
    session.add_enum(kStatus, kSessionStart);
  }));
}

void TensorBoardWriter::scalars(std::int64_t step,
                                const std::vector<std::pair<std::string, double>>& values) {
  file_.append(event(step, [&](auto& writer) {
    protozero::pbf_writer summary(writer, kSummary);
    for (const auto& [tag, number] : values) {
      protozero::pbf_writer value(summary, kValue);
      value.add_string(kTag, tag);
      value.add_float(kSimpleValue, static_cast<float>(number));
    }
  }));
}

void TensorBoardWriter::image(std::int64_t step, std::string_view tag, std::string_view png) {
  const PngHeader header = png_header(png);
  file_.append(event(step, [&](auto& writer) {
    protozero::pbf_writer summary(writer, kSummary);
    protozero::pbf_writer value(summary, kValue);
    value.add_string(kTag, tag.data(), tag.size());
    protozero::pbf_writer image(value, kImage);
    image.add_int32(kHeight, static_cast<std::int32_t>(header.height));
    image.add_int32(kWidth, static_cast<std::int32_t>(header.width));
    image.add_int32(kColorspace, static_cast<std::int32_t>(header.channels));
    image.add_bytes(kEncodedImage, png.data(), png.size());
  }));
}

}  // namespace edt
