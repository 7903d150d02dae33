/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What RFC 9553 says about the types of properties. Properties without a row are a vendor's or a
 * later standard's (section 1.8): any value is let in, as deep as the reader of the card allows.
 */

#include "contact/schema.h"

#include "base/clock.h"

#include <jansson.h>
#include <stdio.h>

enum value {
	TEXT,
	NUMBER,    /* UnsignedInt */
	PREF,      /* 1 to 100 (section 1.5.4) */
	FLAG,      /* true or false */
	UTC,       /* UTCDateTime (section 1.4.5) */
	SET,       /* String[Boolean] whose values are true */
	TEXTS,     /* String[String] */
	OBJECT,    /* of the type */
	OBJECTS,   /* an array of objects of the type */
	IDS,       /* Id[type] (section 1.4.1) */
	RELATIONS, /* String[type] */
	PATCHES,   /* String[PatchObject]: objects whose members are any values */
};

struct property {
	const char *name; /* NULL ends */
	enum value value;
	const struct type *of;
	bool required;
};

struct type {
	const char *name; /* "@type"; NULL: several are allowed, none is looked at */
	const struct property *properties;
};

#define MUST true
/* What many objects have: sections 1.5.1, 1.5.3 and 1.5.4. */
#define USE                                                                                        \
	{ "contexts", SET }, { "pref", PREF },                                                     \
	{                                                                                          \
		"label", TEXT                                                                      \
	}
#define RESOURCE { "uri", TEXT, NULL, MUST }, { "kind", TEXT }, { "mediaType", TEXT }, USE

static const struct type relation = { "Relation",
	(const struct property[]){ { "relation", SET }, {} } };

static const struct type name_component = { "NameComponent",
	(const struct property[]){ { "value", TEXT, NULL, MUST }, { "kind", TEXT, NULL, MUST },
		{ "phonetic", TEXT }, {} } };

static const struct type name = { "Name",
	(const struct property[]){ { "components", OBJECTS, &name_component },
		{ "isOrdered", FLAG }, { "defaultSeparator", TEXT }, { "full", TEXT },
		{ "sortAs", TEXTS }, { "phoneticScript", TEXT }, { "phoneticSystem", TEXT }, {} } };

static const struct type nickname = { "Nickname",
	(const struct property[]){ { "name", TEXT, NULL, MUST }, USE, {} } };

static const struct type unit = { "OrgUnit",
	(const struct property[]){ { "name", TEXT, NULL, MUST }, { "sortAs", TEXT }, {} } };

static const struct type organization = { "Organization",
	(const struct property[]){ { "name", TEXT }, { "units", OBJECTS, &unit },
		{ "sortAs", TEXT }, USE, {} } };

static const struct type pronouns = { "Pronouns",
	(const struct property[]){ { "pronouns", TEXT, NULL, MUST }, USE, {} } };

static const struct type speak = { "SpeakToAs",
	(const struct property[]){ { "grammaticalGender", TEXT }, { "pronouns", IDS, &pronouns },
		{} } };

static const struct type title = { "Title",
	(const struct property[]){ { "name", TEXT, NULL, MUST }, { "kind", TEXT },
		{ "organizationId", TEXT }, USE, {} } };

static const struct type email = { "EmailAddress",
	(const struct property[]){ { "address", TEXT, NULL, MUST }, USE, {} } };

static const struct type service = { "OnlineService",
	(const struct property[]){ { "service", TEXT }, { "uri", TEXT }, { "user", TEXT }, USE,
		{} } };

static const struct type phone = { "Phone",
	(const struct property[]){ { "number", TEXT, NULL, MUST }, { "features", SET }, USE, {} } };

static const struct type language = { "LanguagePref",
	(const struct property[]){ { "language", TEXT, NULL, MUST }, USE, {} } };

static const struct type calendar = { "Calendar", (const struct property[]){ RESOURCE, {} } };

static const struct type scheduling = { "SchedulingAddress",
	(const struct property[]){ { "uri", TEXT, NULL, MUST }, USE, {} } };

static const struct type address_component = { "AddressComponent",
	(const struct property[]){ { "value", TEXT, NULL, MUST }, { "kind", TEXT, NULL, MUST },
		{ "phonetic", TEXT }, {} } };

static const struct type address = { "Address",
	(const struct property[]){ { "components", OBJECTS, &address_component },
		{ "isOrdered", FLAG }, { "countryCode", TEXT }, { "coordinates", TEXT },
		{ "timeZone", TEXT }, { "full", TEXT }, { "defaultSeparator", TEXT },
		{ "phoneticScript", TEXT }, { "phoneticSystem", TEXT }, USE, {} } };

static const struct type crypto_key = { "CryptoKey", (const struct property[]){ RESOURCE, {} } };

static const struct type directory = { "Directory",
	(const struct property[]){ RESOURCE, { "listAs", NUMBER }, {} } };

static const struct type link = { "Link", (const struct property[]){ RESOURCE, {} } };

static const struct type medium = { "Media", (const struct property[]){ RESOURCE, {} } };

/* Section 2.8.1: a PartialDate or a Timestamp. */
static const struct type date = { NULL,
	(const struct property[]){ { "year", NUMBER }, { "month", NUMBER }, { "day", NUMBER },
		{ "calendarScale", TEXT }, { "utc", UTC }, {} } };

static const struct type anniversary = { "Anniversary",
	(const struct property[]){ { "kind", TEXT, NULL, MUST }, { "date", OBJECT, &date, MUST },
		{ "place", OBJECT, &address }, USE, {} } };

static const struct type author = { "Author",
	(const struct property[]){ { "name", TEXT }, { "uri", TEXT }, {} } };

static const struct type note = { "Note",
	(const struct property[]){ { "note", TEXT, NULL, MUST }, { "created", UTC },
		{ "author", OBJECT, &author }, {} } };

static const struct type personal = { "PersonalInfo",
	(const struct property[]){ { "kind", TEXT, NULL, MUST }, { "value", TEXT, NULL, MUST },
		{ "level", TEXT }, { "listAs", NUMBER }, USE, {} } };

static const struct type card = { "Card", (const struct property[]){
						  { "@type", TEXT, NULL, MUST },
						  { "version", TEXT, NULL, MUST },
						  { "uid", TEXT, NULL, MUST },
						  { "created", UTC },
						  { "kind", TEXT },
						  { "language", TEXT },
						  { "members", SET },
						  { "prodId", TEXT },
						  { "relatedTo", RELATIONS, &relation },
						  { "updated", UTC },
						  { "name", OBJECT, &name },
						  { "nicknames", IDS, &nickname },
						  { "organizations", IDS, &organization },
						  { "speakToAs", OBJECT, &speak },
						  { "titles", IDS, &title },
						  { "emails", IDS, &email },
						  { "onlineServices", IDS, &service },
						  { "phones", IDS, &phone },
						  { "preferredLanguages", IDS, &language },
						  { "calendars", IDS, &calendar },
						  { "schedulingAddresses", IDS, &scheduling },
						  { "addresses", IDS, &address },
						  { "cryptoKeys", IDS, &crypto_key },
						  { "directories", IDS, &directory },
						  { "links", IDS, &link },
						  { "media", IDS, &medium },
						  { "localizations", PATCHES },
						  { "anniversaries", IDS, &anniversary },
						  { "keywords", SET },
						  { "notes", IDS, &note },
						  { "personalInfo", IDS, &personal },
						  {},
					  } };

/* Where in the card: a chain from the property to the card, on the stack. */
struct place {
	const struct place *above;
	const char *name;
};

static void place_print(const struct place *p, char *text, size_t size)
{
	size_t n;

	if (p->above)
		place_print(p->above, text, size);
	n = strlen(text);
	(void)snprintf(text + n, size - n, "%s%.60s", n ? "/" : "", p->name);
}

static int wrong(const struct place *p, struct why *why, const char *what)
{
	char text[300] = "";

	place_print(p, text, sizeof text);
	why_set(why, "%s %s", text[0] ? text : "the card", what);
	return SCHEMA_E_INVALID;
}

static int check_object(const json_t *value, const struct type *type, const struct place *p,
	struct why *why);

/* Section 1.4.1: 1 to 255 octets of the URL-safe base64 alphabet. */
static bool is_id(const char *key)
{
	size_t n = strlen(key);

	return n > 0 && n <= 255 &&
	       strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

static int check_member(const char *key, const json_t *value, const struct property *property,
	const struct place *p, struct why *why)
{
	switch (property->value) {
	case SET:
		return json_is_true(value) ? 0 : wrong(p, why, "is true or not there");
	case TEXTS:
		return json_is_string(value) ? 0 : wrong(p, why, "is a text");
	case PATCHES:
		return json_is_object(value) ? 0 : wrong(p, why, "is an object");
	case IDS:
		if (!is_id(key))
			return wrong(p, why, "is no Id: 1 to 255 of A-Z, a-z, 0-9, - and _");
		return check_object(value, property->of, p, why);
	default: /* RELATIONS */
		return check_object(value, property->of, p, why);
	}
}

static int check_members(const json_t *value, const struct property *property,
	const struct place *p, struct why *why)
{
	const char *key;
	const json_t *member;

	if (!json_is_object(value))
		return wrong(p, why, "is an object");
	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		struct place inside = { p, key };
		int r = check_member(key, member, property, &inside, why);

		if (r)
			return r;
	}
	return 0;
}

static int check_elements(const json_t *value, const struct type *type, const struct place *p,
	struct why *why)
{
	const json_t *element;
	size_t i;

	if (!json_is_array(value))
		return wrong(p, why, "is an array");
	json_array_foreach(value, i, element)
	{
		int r = check_object(element, type, p, why);

		if (r)
			return r;
	}
	return 0;
}

static bool is_utc(const json_t *value)
{
	struct span text = span_of(json_string_value(value), json_string_length(value));
	int64_t time_us;

	/* Section 1.4.5: "Z" and nothing else. */
	return text.n && text.p[text.n - 1] == 'Z' && clock_parse_rfc3339(text, &time_us);
}

static int check_value(const json_t *value, const struct property *property, const struct place *p,
	struct why *why)
{
	json_int_t n = json_integer_value(value);

	switch (property->value) {
	case TEXT:
		return json_is_string(value) ? 0 : wrong(p, why, "is a text");
	case NUMBER:
		return json_is_integer(value) && n >= 0
			       ? 0
			       : wrong(p, why, "is an integer that is not negative");
	case PREF:
		return json_is_integer(value) && n >= 1 && n <= 100
			       ? 0
			       : wrong(p, why, "is an integer from 1 to 100");
	case FLAG:
		return json_is_boolean(value) ? 0 : wrong(p, why, "is true or false");
	case UTC:
		return json_is_string(value) && is_utc(value)
			       ? 0
			       : wrong(p, why, "is a time like 2026-02-03T04:05:06Z");
	case OBJECT:
		return check_object(value, property->of, p, why);
	case OBJECTS:
		return check_elements(value, property->of, p, why);
	default:
		return check_members(value, property, p, why);
	}
}

static int check_object(const json_t *value, const struct type *type, const struct place *p,
	struct why *why)
{
	const json_t *given;

	if (!json_is_object(value))
		return wrong(p, why, "is an object");
	/* Section 1.3.4: where it may be left out, it may not be another. */
	given = json_object_get(value, "@type");
	if (given && type->name &&
		(!json_is_string(given) || strcmp(json_string_value(given), type->name) != 0))
		return wrong(p, why, "has an @type that does not belong there");
	for (const struct property *property = type->properties; property->name; property++) {
		const json_t *member = json_object_get(value, property->name);
		struct place inside = { p, property->name };
		int r = 0;

		if (member)
			r = check_value(member, property, &inside, why);
		else if (property->required)
			r = wrong(&inside, why, "is missing");
		if (r)
			return r;
	}
	return 0;
}

int schema_check_card(const struct json_t *value, struct why *why)
{
	struct place top = { NULL, "" };
	const char *version;
	int r = check_object(value, &card, &top, why);

	if (r)
		return r;
	version = json_string_value(json_object_get(value, "version"));
	if (strcmp(version, "1.0") == 0) /* section 2.1.2 */
		return 0;
	why_set(why, "version %.20s is not known here: 1.0 is", version);
	return SCHEMA_E_INVALID;
}
