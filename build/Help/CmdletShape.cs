using System.Management.Automation;
using System.Reflection;
using System.Runtime.Loader;

namespace PgBackup.Build.Help;

/// <summary>A parameter in one parameter set.</summary>
internal sealed record ParameterShape(
    string Name, string Type, bool IsSwitch, bool Mandatory, int? Position, string Pipeline, bool Wildcards, IReadOnlyList<string> Aliases, IReadOnlyList<string> Values);

/// <summary>A cmdlet's parameter sets as its assembly declares them.</summary>
internal sealed record CmdletShape(string Verb, string Noun, IReadOnlyList<IReadOnlyList<ParameterShape>> Sets)
{
    private const string EverySet = "__AllParameterSets";

    public string Name => $"{Verb}-{Noun}";

    /// <summary>Reads the cmdlets of the staged module; nothing of it runs.</summary>
    public static IReadOnlyList<CmdletShape> ReadAll(string module)
    {
        var context = new AssemblyLoadContext("help", isCollectible: false);
        context.Resolving += (_, name) =>
        {
            string[] places = [Path.Combine(module, "bin"), Path.Combine(module, "bin", "engine")];
            string? file = places.Select(place => Path.Combine(place, name.Name + ".dll")).FirstOrDefault(File.Exists);
            return file is null ? null : context.LoadFromAssemblyPath(file);
        };
        Assembly assembly = context.LoadFromAssemblyPath(Path.Combine(module, "bin", "PgBackup.PowerShell.dll"));
        return [.. assembly.GetExportedTypes().Select(Read).OfType<CmdletShape>().OrderBy(c => c.Name, StringComparer.Ordinal)];
    }

    private static CmdletShape? Read(Type type)
    {
        CustomAttributeData? cmdlet = Attributes(type, nameof(CmdletAttribute)).FirstOrDefault();
        if (cmdlet is null)
            return null;
        var parameters = type.GetProperties().Concat(Dynamic(type))
            .SelectMany(property => Attributes(property, nameof(ParameterAttribute)).Select(attribute => (Property: property, Attribute: attribute)))
            .Select(p => (Set: Named(p.Attribute, "ParameterSetName") as string ?? EverySet, Shape: Read(p.Property, p.Attribute)))
            .ToList();
        if (Named(cmdlet, "SupportsShouldProcess") is true)
        {
            parameters.Add((EverySet, new ParameterShape("WhatIf", "SwitchParameter", true, false, null, "False", false, ["wi"], [])));
            parameters.Add((EverySet, new ParameterShape("Confirm", "SwitchParameter", true, false, null, "False", false, ["cf"], [])));
        }
        string[] named = [.. parameters.Select(p => p.Set).Where(s => s != EverySet).Distinct()];
        IEnumerable<IReadOnlyList<ParameterShape>> sets = (named.Length == 0 ? [EverySet] : named).Select(set => (IReadOnlyList<ParameterShape>)
            [.. parameters.Where(p => p.Set == set || p.Set == EverySet).Select(p => p.Shape).OrderBy(p => p.Position ?? int.MaxValue).ThenByDescending(p => p.Mandatory)]);
        return new CmdletShape((string)cmdlet.ConstructorArguments[0].Value!, (string)cmdlet.ConstructorArguments[1].Value!, [.. sets]);
    }

    /// <summary>The parameters of a cmdlet that it keeps in an object of its own (IDynamicParameters), because several cmdlets have the same.</summary>
    private static IEnumerable<PropertyInfo> Dynamic(Type type)
    {
        if (!type.GetInterfaces().Any(i => i.Name == nameof(IDynamicParameters)))
            return [];
        var fields = new List<FieldInfo>();
        for (Type? at = type; at is not null; at = at.BaseType)
            fields.AddRange(at.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly));
        return fields.SelectMany(f => f.FieldType.GetProperties()).Where(p => Attributes(p, nameof(ParameterAttribute)).Any());
    }

    private static ParameterShape Read(PropertyInfo property, CustomAttributeData attribute)
    {
        Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        Type element = type.IsArray ? type.GetElementType()! : type;
        bool byValue = Named(attribute, "ValueFromPipeline") is true, byName = Named(attribute, "ValueFromPipelineByPropertyName") is true;
        string pipeline = (byValue, byName) switch
        {
            (true, true) => "True (ByValue, ByPropertyName)",
            (true, false) => "True (ByValue)",
            (false, true) => "True (ByPropertyName)",
            _ => "False",
        };
        return new ParameterShape(
            property.Name,
            type.Name,
            type.Name == nameof(SwitchParameter),
            Named(attribute, "Mandatory") is true,
            Named(attribute, "Position") is int position and >= 0 ? position : null,
            pipeline,
            Attributes(property, nameof(SupportsWildcardsAttribute)).Any(),
            [.. Attributes(property, nameof(AliasAttribute)).SelectMany(a => (IEnumerable<CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!).Select(a => (string)a.Value!)],
            element.IsEnum ? Enum.GetNames(element) : []);
    }

    private static IEnumerable<CustomAttributeData> Attributes(MemberInfo member, string name) =>
        member.GetCustomAttributesData().Where(a => a.AttributeType.Name == name);

    private static object? Named(CustomAttributeData attribute, string name) =>
        attribute.NamedArguments.FirstOrDefault(a => a.MemberName == name).TypedValue.Value;
}
