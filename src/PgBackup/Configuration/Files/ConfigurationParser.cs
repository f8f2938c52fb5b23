using System.Diagnostics.CodeAnalysis;
using PgBackup.Errors;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace PgBackup.Configuration.Files;

/// <summary>
/// YAML into nodes, straight from the parser's events: nothing is deserialized, and an alias is one more reference to a node that is complete, so that neither nesting nor
/// anchors can grow beyond the file itself.
/// </summary>
internal sealed class ConfigurationParser
{
    /// <summary>The largest file that is read.</summary>
    public const int LargestFile = 1 << 20;

    private const int DeepestNesting = 16;
    private const string Quotes = "Correct the line; values with : or # need quotes.";

    private readonly string _path;
    private readonly Parser _parser;
    private readonly Dictionary<string, ConfigurationNode> _anchors = new(StringComparer.Ordinal);

    private ConfigurationParser(string path, string text)
    {
        _path = path;
        _parser = new Parser(new StringReader(text));
    }

    /// <summary>The file's content; null when it holds nothing. Throws <c>ConfigurationInvalid</c>.</summary>
    /// <param name="path">The file's name, for messages.</param>
    /// <param name="text">Its text.</param>
    public static MapNode? Parse(string path, string text)
    {
        var parser = new ConfigurationParser(path, text);
        try
        {
            return parser.Document();
        }
        catch (YamlException error)
        {
            throw PgErrors.ConfigurationInvalid(path, (int)error.Start.Line, $"it is no YAML here: {error.Message.ReplaceLineEndings(" ")}", Quotes, error);
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The library's scanner gives up like this on some texts that are no YAML.
            throw PgErrors.ConfigurationInvalid(path, Line(parser._parser.Current), "what follows is no YAML.", Quotes, error);
        }
    }

    private MapNode? Document()
    {
        _parser.Consume<StreamStart>();
        if (TryTake<StreamEnd>(out _))
            return null;
        _parser.Consume<DocumentStart>();
        ConfigurationNode root = Node(0);
        _parser.Consume<DocumentEnd>();
        if (!TryTake<StreamEnd>(out _))
            throw Invalid(Line(_parser.Current), "a second document begins here.", "Keep one document in the file.");
        return root switch
        {
            MapNode map => map,
            ScalarNode { Text: "" } => null,
            _ => throw Invalid(root.Line, "it holds no settings.", "Begin with repositories: or servers:, see about_PgBackup_Configuration."),
        };
    }

    private ConfigurationNode Node(int depth)
    {
        if (depth > DeepestNesting)
            throw Invalid(Line(_parser.Current), "it is nested too deeply.", "See about_PgBackup_Configuration for the keys.");
        if (TryTake(out AnchorAlias? alias))
            return _anchors.TryGetValue(alias.Value.Value, out ConfigurationNode? known)
                ? known
                : throw Invalid(Line(alias), $"the anchor '{alias.Value.Value}' is not known.", "Define it with & further up.");
        var start = _parser.Current as NodeEvent ?? throw Invalid(Line(_parser.Current), "a value is missing.", "Add it.");
        ConfigurationNode node = Content(depth);
        if (!start.Anchor.IsEmpty)
            _anchors[start.Anchor.Value] = node;
        return node;
    }

    private ConfigurationNode Content(int depth)
    {
        if (TryTake(out Scalar? scalar))
            return new ScalarNode(Line(scalar), scalar.Style == ScalarStyle.Plain && scalar.Value is "~" or "null" ? "" : scalar.Value);
        if (TryTake(out SequenceStart? sequence))
        {
            while (!TryTake<SequenceEnd>(out _))
                Node(depth + 1);
            return new ListNode(Line(sequence));
        }
        var map = _parser.Consume<MappingStart>();
        var entries = new List<MapEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (!TryTake<MappingEnd>(out _))
        {
            if (!TryTake(out Scalar? name))
                throw Invalid(Line(_parser.Current), "a name is expected here.", "Write name: value.");
            if (!names.Add(name.Value))
                throw Invalid(Line(name), $"'{name.Value}' occurs twice.", "Keep one of the two.");
            entries.Add(new MapEntry(name.Value, Line(name), Node(depth + 1)));
        }
        return new MapNode(Line(map), entries);
    }

    private bool TryTake<T>([NotNullWhen(true)] out T? taken)
        where T : ParsingEvent
    {
        taken = _parser.Current as T;
        if (taken is not null)
            _parser.MoveNext();
        return taken is not null;
    }

    private PgBackupException Invalid(int line, string reason, string hint) => PgErrors.ConfigurationInvalid(_path, line, reason, hint);

    private static int Line(ParsingEvent? at) => (int)(at?.Start.Line ?? 0);
}
