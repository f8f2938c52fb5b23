using System.Xml.Linq;

namespace PgBackup.TestServers.Proxy;

/// <summary>Listings that do not know the newest objects yet.</summary>
internal static class ListingLag
{
    /// <summary>A page of a listing without the keys given.</summary>
    public static byte[] Apply(byte[] page, HashSet<string> hidden)
    {
        using MemoryStream text = new(page);
        var document = XDocument.Load(text);
        XElement root = document.Root!;
        XNamespace names = root.Name.Namespace;
        bool escaped = (string?)root.Element(names + "EncodingType") == "url";
        XElement[] unseen = [.. root.Elements(names + "Contents").Where(item => hidden.Contains(Key(item.Element(names + "Key")!.Value, escaped)))];
        foreach (XElement item in unseen)
            item.Remove();
        if (root.Element(names + "KeyCount") is { } count)
            count.Value = $"{(int)count - unseen.Length}";
        using MemoryStream changed = new();
        document.Save(changed);
        return changed.ToArray();
    }

    private static string Key(string text, bool escaped) => escaped ? Uri.UnescapeDataString(text.Replace('+', ' ')) : text;
}
