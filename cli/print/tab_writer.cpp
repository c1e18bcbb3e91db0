#include "cli/print/tab_writer.h"

#include <algorithm>
#include <vector>

namespace keelson::cli::printing {
namespace {

using Line = std::vector<std::string_view>;

std::size_t width_of(std::string_view text) {
    std::size_t count = 0;
    for (const char letter : text)
        if ((static_cast<unsigned char>(letter) & 0xC0) != 0x80) ++count;
    return count;
}

std::vector<Line> lines_of(std::string_view text) {
    std::vector<Line> lines(1);
    std::size_t begin = 0;
    for (std::size_t at = 0; at <= text.size(); ++at) {
        if (at < text.size() && text[at] != '\t' && text[at] != '\n') continue;
        lines.back().push_back(text.substr(begin, at - begin));
        if (at < text.size() && text[at] == '\n') lines.emplace_back();
        begin = at + 1;
    }
    return lines;
}

class Aligner {
  public:
    Aligner(std::vector<Line> lines, TabStops stops) : lines_(std::move(lines)), stops_(stops) {}

    std::string run() {
        format(0, lines_.size());
        // Every line but the last had an end.
        if (!out_.empty()) out_.pop_back();
        return std::move(out_);
    }

  private:
    [[nodiscard]] bool has_cell(std::size_t line, std::size_t column) const {
        return column + 1 < lines_[line].size();
    }

    // Lines that share the columns found so far; looks for blocks of the next one.
    void format(std::size_t begin, std::size_t end) {
        const std::size_t column = widths_.size();
        for (std::size_t line = begin; line < end; ++line) {
            if (!has_cell(line, column)) continue;
            write(begin, line);
            begin = line;
            std::size_t width = stops_.least_width;
            for (; line < end && has_cell(line, column); ++line)
                width = std::max(width, width_of(lines_[line][column]) + stops_.padding);
            widths_.push_back(width);
            format(begin, line);
            widths_.pop_back();
            begin = line;
        }
        write(begin, end);
    }

    void write(std::size_t begin, std::size_t end) {
        for (std::size_t at = begin; at < end; ++at) {
            const Line& line = lines_[at];
            for (std::size_t cell = 0; cell < line.size(); ++cell) {
                out_ += line[cell];
                const std::size_t width = width_of(line[cell]);
                if (cell < widths_.size() && width < widths_[cell]) out_.append(widths_[cell] - width, ' ');
            }
            out_ += '\n';
        }
    }

    std::vector<Line> lines_;
    TabStops stops_;
    std::vector<std::size_t> widths_;
    std::string out_;
};

}  // namespace

std::string align_tabs(std::string_view text, TabStops stops) {
    return Aligner(lines_of(text), stops).run();
}

}  // namespace keelson::cli::printing
