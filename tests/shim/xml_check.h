// SPDX-License-Identifier: MIT
/* xml_check.h: is this text well-formed XML? As far as malloc_info may go: one root element, nested elements with
 * quoted attributes, text without bare < and &; no comments, entities or processing instructions but the leading one.
 */
#ifndef DAM_TESTS_SHIM_XML_CHECK_H
#define DAM_TESTS_SHIM_XML_CHECK_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { XML_DEPTH_MAX = 32 };

struct xml_name {
    const char *start;
    size_t length;
};

struct xml_check {
    const char *at;
    struct xml_name open[XML_DEPTH_MAX];
    int depth;
    int root_count;
};

static inline void xml_skip_space(struct xml_check *check) {
    while (isspace((unsigned char)*check->at))
        check->at++;
}

static inline struct xml_name xml_read_name(struct xml_check *check) {
    struct xml_name name = {check->at, 0};
    if (isalpha((unsigned char)*check->at) || *check->at == '_') {
        while (isalnum((unsigned char)*check->at) || (*check->at != '\0' && strchr("_-.:", *check->at) != NULL))
            check->at++;
    }
    name.length = (size_t)(check->at - name.start);
    return name;
}

/* name="value" or name='value' */
static inline bool xml_read_attribute(struct xml_check *check) {
    if (xml_read_name(check).length == 0 || *check->at++ != '=')
        return false;
    char quote = *check->at++;
    if (quote != '"' && quote != '\'')
        return false;
    while (*check->at != quote) {
        if (*check->at == '\0' || *check->at == '<' || *check->at == '&')
            return false;
        check->at++;
    }
    check->at++;
    return true;
}

static inline bool xml_read_closing_tag(struct xml_check *check) {
    struct xml_name name = xml_read_name(check);
    if (check->depth == 0)
        return false;
    struct xml_name open = check->open[--check->depth];
    xml_skip_space(check);
    return name.length == open.length && memcmp(name.start, open.start, name.length) == 0 && *check->at++ == '>';
}

static inline bool xml_read_opening_tag(struct xml_check *check) {
    struct xml_name name = xml_read_name(check);
    if (name.length == 0 || check->depth == XML_DEPTH_MAX)
        return false;
    check->root_count += check->depth == 0;
    for (;;) {
        const char *before = check->at;
        xml_skip_space(check);
        if (*check->at == '>') {
            check->at++;
            check->open[check->depth++] = name;
            return true;
        }
        if (check->at[0] == '/' && check->at[1] == '>') {
            check->at += 2;
            return true;
        }
        if (check->at == before || !xml_read_attribute(check))
            return false;
    }
}

static inline bool xml_is_well_formed(const char *text) {
    struct xml_check check = {.at = text};
    if (strncmp(text, "<?xml ", 6) == 0) {
        const char *end = strstr(text, "?>");
        if (end == NULL)
            return false;
        check.at = end + 2;
    }
    while (*check.at != '\0') {
        if (*check.at == '<') {
            check.at++;
            bool closing = *check.at == '/';
            check.at += closing;
            if (!(closing ? xml_read_closing_tag(&check) : xml_read_opening_tag(&check)))
                return false;
        } else if (*check.at == '&' || (check.depth == 0 && !isspace((unsigned char)*check.at))) {
            return false;
        } else {
            check.at++;
        }
    }
    return check.depth == 0 && check.root_count == 1;
}

#endif
