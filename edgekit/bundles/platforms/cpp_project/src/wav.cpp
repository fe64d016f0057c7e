#include "wav.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>

#include "bundle_name/model.hpp"

namespace bundle_name {
namespace detail {

constexpr std::uintmax_t kMostBytes = (std::uintmax_t{1} << 32) + 8;

namespace {

constexpr std::uint32_t kPcm = 1;
constexpr std::uint32_t kExtensible = 0xfffe;
constexpr std::string_view kPcmGuid("\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 16);
constexpr std::uint32_t kMostChannels = 64;

struct Format {
  std::uint32_t channels;
  std::uint32_t rate_hz;
  std::uint32_t width;  // bytes of a number
};

std::uint32_t little(const std::string& bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

// Of one byte unsigned, else with a sign; as a part of the largest.
double number(const std::string& bytes, std::size_t at, std::uint32_t width) {
  const std::uint32_t value = little(bytes, at, width);
  if (width == 1) return (static_cast<double>(value) - 128.0) / 128.0;
  const double whole = static_cast<double>(std::uint64_t{1} << (8 * width));
  const double real = static_cast<double>(value);
  return (real < whole / 2 ? real : real - whole) / (whole / 2);
}

Format format_of(const std::string& bytes, std::size_t at, std::size_t size,
                 const std::string& name) {
  const std::uint32_t tag = little(bytes, at, 2);
  const bool pcm = tag == kPcm || (tag == kExtensible && size >= 40 &&
                                   bytes.compare(at + 24, kPcmGuid.size(), kPcmGuid) == 0);
  if (!pcm) throw Error(name + ": a WAV file, but no plain PCM");
  const Format format{little(bytes, at + 2, 2), little(bytes, at + 4, 4),
                      (little(bytes, at + 14, 2) + 7) / 8};
  if (format.channels < 1 || format.channels > kMostChannels || format.rate_hz < 1 ||
      format.width < 1 || format.width > 4)
    throw Error(name + ": " + std::to_string(format.channels) + " channels of " +
                std::to_string(8 * format.width) + " bits at " + std::to_string(format.rate_hz) +
                " Hz are not read");
  return format;
}

}  // namespace

std::vector<float> wav_of(const std::string& bytes, int rate_hz, std::size_t most,
                          const std::string& name) {
  if (bytes.size() < 12 || bytes.compare(0, 4, "RIFF") != 0 || bytes.compare(8, 4, "WAVE") != 0)
    throw Error(name + ": no WAV file");
  const std::uint64_t whole = std::uint64_t{8} + little(bytes, 4, 4);
  const std::uint64_t end = std::min<std::uint64_t>(whole, bytes.size());
  std::optional<Format> format;
  for (std::uint64_t at = 12; at + 8 <= end && at <= whole;) {
    const std::uint64_t size = little(bytes, at + 4, 4);
    const std::uint64_t body = at + 8;
    if (bytes.compare(at, 4, "data") == 0) {
      if (!format) break;
      if (rate_hz != 0 && format->rate_hz != static_cast<std::uint32_t>(rate_hz))
        throw Error(name + ": " + std::to_string(format->rate_hz) + " Hz; the model takes " +
                    std::to_string(rate_hz) + " Hz");
      const std::uint64_t frame = format->channels * format->width;
      const std::uint64_t count = std::min<std::uint64_t>(most, size / frame);
      if (body + count * frame > end) throw Error(name + ": cut short");
      std::vector<float> sound(count);
      for (std::uint64_t i = 0; i < count; ++i) {
        double sum = 0.0;  // exact: 64 channels of 32 bits need 38
        for (std::uint32_t c = 0; c < format->channels; ++c)
          sum += number(bytes, body + i * frame + c * format->width, format->width);
        sound[i] = static_cast<float>(sum / format->channels);
      }
      return sound;
    }
    if (bytes.compare(at, 4, "fmt ") == 0) {
      if (size < 16 || body + 16 > end) break;
      format = format_of(bytes, body, std::min(size, end - body), name);
    }
    at = body + size + (size & 1);
    if (at > whole) break;
  }
  throw Error(name + ": a WAV file without sound, or a damaged one");
}

}  // namespace detail

std::vector<float> read_wav(const std::filesystem::path& file, int rate_hz, std::size_t most) {
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(file, failed);
  if (failed) throw Error(file.string() + ": cannot be read");
  if (size > detail::kMostBytes) throw Error(file.string() + ": larger than a WAV file can be");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Error(file.string() + ": cannot be read");
  const std::string bytes(std::istreambuf_iterator<char>(stream), {});
  return detail::wav_of(bytes, rate_hz, most, file.string());
}

}  // namespace bundle_name
